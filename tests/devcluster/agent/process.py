"""A container as a process: started in the pod's namespace, watched through a pidfd, ended as a group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from devcluster import netns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# `exec` keeps the pid, so that signals reach the program itself.
_MOUNT_AND_EXEC = 'mount --bind "$0" "$1" && shift && exec "$@"'


class StartError(Exception):
    """The program cannot be started."""


def account_mount_point() -> str:
    """Where /var/run/secrets really is: /run/secrets on most systems."""
    return os.path.realpath("/var/run/secrets")


class Process:
    """One run of a container.

    Raises:
        StartError: no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        namespace: str,
        environment: Mapping[str, str],
        workdir: Path,
        log: Path,
        account: Path | None,
    ) -> None:
        found = shutil.which(command[0], path=environment.get("PATH", os.defpath))
        if "/" in command[0] and not command[0].startswith("/"):
            found = shutil.which(str(workdir / command[0]))
        if found is None:
            raise StartError(f'exec: "{command[0]}": executable file not found in $PATH')
        full = list(command)
        if account is not None:
            # The shell finds the program the same way.
            found = None
            shell = ["sh", "-c", _MOUNT_AND_EXEC, str(account), account_mount_point()]
            full = ["unshare", "--mount", *shell, *full]
        try:
            with log.open("ab") as output, netns.inside(namespace):
                self._child = subprocess.Popen(
                    full,
                    executable=found,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=workdir,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{command[0]}: {error.strerror}") from error
        self.pid = self._child.pid
        self._handle = os.pidfd_open(self.pid)
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._handle, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        # Before the zombie is reaped its number cannot be reused, so the group is still this container's.
        self.signal_group(signal.SIGKILL)
        code = self._child.wait()
        self.ended.set_result(code if code >= 0 else 128 - code)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal all processes of the container's session."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Ask the main process, and it alone, to end."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    async def stop(self, *, grace: float) -> int:
        """TERM, KILL after `grace` seconds; the exit code."""
        if grace > 0:
            self.terminate()
            done, _ = await asyncio.wait({self.ended}, timeout=grace)
            if done:
                return self.ended.result()
        self.signal_group(signal.SIGKILL)
        return await self.ended
