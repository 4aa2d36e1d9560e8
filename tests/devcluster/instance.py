"""Where an instance keeps its state, and what it remembers about itself.

Everything lives in one run folder outside the checkout, so that `down` works from any shell, after a crash of
the tool, and removes all of it at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster.failure import DevclusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYERS = ("api", "kube", "mesh", "metrics")
NONCE_VARIABLE = "DEVCLUSTER_NONCE"
_IMPLIED = {"api": {"api"}, "kube": {"api", "kube"}, "mesh": {"api", "kube", "mesh"}}
_IMPLIED["metrics"] = {"api", "kube", "metrics"}
# The name is part of network namespace names; "_" separates it from the pod's part.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")


def with_implied(layers: tuple[str, ...]) -> tuple[str, ...]:
    """The layers asked for and those they stand on, in the order in which they start.

    Raises:
        DevclusterError: a layer is unknown.
    """
    wanted: set[str] = set()
    for layer in layers:
        if layer not in _IMPLIED:
            raise DevclusterError(f"unknown layer {layer!r}; the layers are {', '.join(LAYERS)}")
        wanted |= _IMPLIED[layer]
    return tuple(layer for layer in LAYERS if layer in wanted)


@dataclass(frozen=True, slots=True)
class Member:
    """A process the tool started; `started` (clock ticks since boot) tells it from a later one of its pid."""

    name: str
    pid: int
    started: int


@dataclass(slots=True)
class State:
    """What is written to state.json; the nonce is in the environment of every process of the instance."""

    nonce: str
    layers: list[str] = field(default_factory=list)
    ready: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)


class Instance:
    """The names and paths of one instance.

    Args:
        name: lower-case letters, digits and dashes, at most 30 characters.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise DevclusterError(
                f"instance name {name!r} is not usable: take at most 30 lower-case letters, digits and dashes"
            )
        self.name = name
        self.base = Path(os.environ.get("MODELRAMP_RUN") or "/run/modelramp")
        self.folder = self.base / name
        self.namespace = f"modelramp-{name}"
        self.pod_namespace_prefix = f"{self.namespace}_"
        self.logs = self.folder / "logs"
        self.pki = self.folder / "pki"
        self.audit_log = self.folder / "audit.log"
        self._state_file = self.folder / "state.json"

    def load(self) -> State | None:
        """The recorded state, or None when the instance does not exist.

        Raises:
            DevclusterError: the record cannot be read.
        """
        try:
            raw = json.loads(self._state_file.read_text())
            members = [Member(**member) for member in raw.pop("members")]
            return State(members=members, **raw)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise DevclusterError(
                f"{self._state_file} cannot be read ({error}); end the processes and remove the folder"
            ) from error

    def save(self, state: State) -> None:
        """Write the record in one step, so that a crash leaves the old or the new one, never half of one."""
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state), indent=2))
        fresh.replace(self._state_file)

    def create(self) -> State:
        """Make the run folder and a first record with a fresh nonce."""
        for folder in (self.folder, self.logs, self.pki):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = State(nonce=secrets.token_hex(16))
        self.save(state)
        return state

    def remove(self) -> None:
        """Remove the run folder, and the base folder when it was the last one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.base.rmdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the instance for one command at a time.

        The lock is on a file beside the run folder, which `down` removes while it still holds it.

        Raises:
            DevclusterError: another command works on this instance.
        """
        self.base.mkdir(parents=True, exist_ok=True, mode=0o755)
        path = self.base / f".{self.name}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DevclusterError(
                    f"another command works on instance {self.name}; wait for it to end, then try again"
                ) from error
            if not path.exists() or path.stat().st_ino != os.fstat(handle).st_ino:
                raise DevclusterError(f"another command on instance {self.name} has just ended; try again")
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    self.base.rmdir()
        finally:
            os.close(handle)
