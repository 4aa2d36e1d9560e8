"""Starting processes that outlive the tool, knowing them again, and ending them.

A process is ours when its pid *and* start time are on record, or when it is a member of the instance's
namespaces and carries the instance's nonce in its environment. Nothing else is ever signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster import netns
from devcluster.failure import DevclusterError
from devcluster.instance import NONCE_VARIABLE, Instance, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_TAIL_LINES = 15
# Kept so that a caller that lives on (pytest) can reap its children.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A process seen in /proc."""

    pid: int
    started: int
    command: str


def parse_stat(text: str) -> tuple[str, int]:
    """State letter and start time (field 22, clock ticks since boot) from /proc/PID/stat.

    The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    """
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def start_time(pid: int) -> int | None:
    """When the process started, or None when it is gone or a zombie."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return None
    try:
        state, started = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, IndexError):
        return None
    return None if state in "ZX" else started


def alive(member: Member | Found) -> bool:
    """Whether this very process, and not a later one with its pid, still runs."""
    return start_time(member.pid) == member.started


def spawn(
    name: str,
    command: Sequence[str],
    *,
    instance: Instance,
    nonce: str,
    env: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> Member:
    """Start a process in the instance's namespace, its output in the instance's logs/<name>.log.

    It is a member of the namespace and carries the nonce from its first moment on, so that `down` finds it
    even when this process is killed before it has the pid on record.

    Args:
        name: of the part.
        command: program and arguments.
        instance: whose part.
        nonce: of the instance.
        env: added to a bare environment.
        inherited: file descriptors that stay open in the process.

    Raises:
        DevclusterError: the program cannot be started.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(instance.folder),
        "LANG": "C.UTF-8",
        **(env or {}),
        NONCE_VARIABLE: nonce,
    }
    try:
        with (instance.logs / f"{name}.log").open("ab") as log, netns.inside(instance.namespace):
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=instance.folder,
                start_new_session=True,
                pass_fds=inherited,
            )
    except OSError as error:
        raise DevclusterError(f"{name} cannot be started: {error}") from error
    _children[child.pid] = child
    started = start_time(child.pid)
    return Member(name, child.pid, started if started is not None else -1)


def last_lines(log: Path, count: int = _TAIL_LINES) -> str:
    """The end of a log, indented, or a word that there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (the log is empty)"


def wait_for(  # what is waited for, how long, and who must stay alive meanwhile
    what: str,
    check: Callable[[], bool],
    *,
    limit: float,
    watched: Sequence[Member],
    logs: Path,
    pause: float = 0.05,
) -> None:
    """Poll `check` until it holds.

    Raises:
        DevclusterError: `limit` seconds are over, or a watched process ended; with the end of its log.
    """
    deadline = time.monotonic() + limit
    while not check():
        for member in watched:
            if not alive(member):
                raise DevclusterError(
                    f"{member.name} ended while waiting for {what}; the end of {logs / member.name}.log:\n"
                    + last_lines(logs / f"{member.name}.log")
                )
        if time.monotonic() > deadline:
            shown = "\n".join(
                f"  the end of {logs / m.name}.log:\n{last_lines(logs / f'{m.name}.log')}" for m in watched
            )
            raise DevclusterError(f"waited {limit:.0f} s for {what} in vain\n{shown}")
        time.sleep(pause)


def _environment(pid: int) -> list[bytes]:
    """The environment a process was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def in_namespaces(names: Iterable[str], nonce: str) -> tuple[list[Found], list[Found]]:
    """Processes in these network namespaces: those that carry the nonce, and strangers."""
    wanted = {identity for name in names if (identity := netns.identity(name)) is not None}
    marker = f"{NONCE_VARIABLE}={nonce}".encode()
    ours: list[Found] = []
    strangers: list[Found] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            place = (entry / "ns" / "net").stat()
            if (place.st_dev, place.st_ino) not in wanted:
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        pid = int(entry.name)
        started = start_time(pid)
        if started is not None:
            found = Found(pid, started, command)
            (ours if marker in _environment(pid) else strangers).append(found)
    return ours, strangers


def _signal(member: Member | Found, number: signal.Signals) -> None:
    """Signal the process through a pidfd, so that a recycled pid cannot be hit."""
    try:
        handle = os.pidfd_open(member.pid)
    except ProcessLookupError:
        return
    try:
        if alive(member):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def stop(members: Sequence[Member | Found], *, grace: float) -> None:
    """TERM, then KILL after `grace` seconds; returns when all are gone.

    Raises:
        DevclusterError: a process outlived SIGKILL by 10 s.
    """
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        for member in members:
            _signal(member, number)
        deadline = time.monotonic() + patience
        while any(alive(member) for member in members):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
    left = ", ".join(str(member.pid) for member in members if alive(member))
    raise DevclusterError(f"processes outlived SIGKILL: {left}; see their state in /proc/PID/stat")
