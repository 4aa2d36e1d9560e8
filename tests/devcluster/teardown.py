"""Ending an instance: its processes and no others, then its namespaces and files.

Works from any state: after a crash of the tool, half up, or partly ended by hand.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster import netns, processes
from devcluster.failure import DevclusterError

if TYPE_CHECKING:
    from devcluster.instance import Instance, Member, State

# A graceful end of the API server takes up to 10 s and saves nothing that is not removed anyway.
_GRACE_S = 1.0
_ROUNDS = 10
_ACCOUNT_MOUNT_POINT = Path("/run/secrets")


def take_down(instance: Instance) -> None:
    """End and remove all of the instance; nothing to do is fine.

    Raises:
        DevclusterError: a stranger's process is in a namespace, or nobody knows whose one is.
    """
    state = instance.load()
    namespaces = _namespaces(instance)
    if state is None:
        _remove_unrecorded(instance, namespaces)
        return
    _end_processes(instance, state)
    namespaces = _namespaces(instance)
    _, strangers = processes.in_namespaces(namespaces, state.nonce)
    if strangers:
        listed = "\n".join(f"    pid {found.pid}: {found.command}" for found in strangers)
        raise DevclusterError(
            f"instance {instance.name}: its own processes are ended, but others are in its namespaces "
            f"and were left alone:\n{listed}\n  end them, then run down again"
        )
    for name in namespaces:
        netns.remove(name)
    instance.remove()
    _remove_mount_point()


def _namespaces(instance: Instance) -> list[str]:
    own = [instance.namespace] if netns.exists(instance.namespace) else []
    return [*netns.names(instance.pod_namespace_prefix), *own]


def _end_processes(instance: Instance, state: State) -> None:
    """The agent first, so that it starts nothing anew; then all that carries the nonce."""
    spared = _ancestry()
    agents = [m for m in state.members if m.name == "node-agent" and processes.alive(m)]
    processes.stop(agents, grace=0)
    for _ in range(_ROUNDS):
        members = [m for m in state.members if processes.alive(m)]
        found, _ = processes.in_namespaces(_namespaces(instance), state.nonce)
        recorded = {m.pid for m in members}
        doomed: list[Member | processes.Found] = [
            *members,
            *(f for f in found if f.pid not in recorded and f.pid not in spared),
        ]
        if not doomed:
            return
        processes.stop(doomed, grace=_GRACE_S)
    raise DevclusterError(f"instance {instance.name}: processes keep appearing; see `devcluster status`")


def _ancestry() -> set[int]:
    """This process and those it descends from: a test that was started by the tool must not end itself."""
    found: set[int] = set()
    pid = os.getpid()
    while pid > 1:
        found.add(pid)
        with contextlib.suppress(OSError, IndexError):
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            continue
        break
    return found


def _remove_unrecorded(instance: Instance, namespaces: list[str]) -> None:
    """Namespaces without a record: empty ones are removed, others are reported."""
    _, members = processes.in_namespaces(namespaces, nonce="")
    if members:
        listed = "\n".join(f"    pid {found.pid}: {found.command}" for found in members)
        raise DevclusterError(
            f"instance {instance.name} has no record in {instance.folder}, but there are processes in its "
            f"namespaces; whose is not known, so they were left alone:\n{listed}\n"
            "  end them, then run down again"
        )
    for name in namespaces:
        netns.remove(name)
    instance.remove()


def _remove_mount_point() -> None:
    """Remove the empty mount point of the service accounts, once no instance may need it."""
    if not netns.names("modelramp-"):
        with contextlib.suppress(OSError):
            _ACCOUNT_MOUNT_POINT.rmdir()
