"""One container's life: waiting, running, probed, ended, started again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp

from devcluster.agent import probe, spec
from devcluster.agent.api import ApiError
from devcluster.agent.health import Health
from devcluster.agent.process import Process, StartError
from devcluster.agent.status import ContainerState, Running, Terminated, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RETRY_S = 2.0
_START_FAILED = 128


class Surroundings(Protocol):
    """What a container needs of its pod."""

    pod: dict[str, Any]
    namespace: str
    address: str
    folder: Path
    crash_backoff_s: float

    async def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """All variables; raises spec.ConfigError."""

    async def account(self) -> Path:
        """The folder to be mounted at /var/run/secrets."""

    def workdir(self, container: Mapping[str, Any]) -> Path:
        """Where the process runs."""

    def changed(self) -> None:
        """A state changed: write the status."""

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Container:
    """Runs one container of a pod until it ended for good or is stopped.

    Args:
        name: of the container.
        around: its pod.
        init: whether it is an init container, for which Always means OnFailure.
    """

    def __init__(self, name: str, around: Surroundings, *, init: bool = False) -> None:
        self._name = name
        self._around = around
        self._init = init
        self.state = ContainerState(name, self._spec["image"])
        self._stopping = asyncio.Event()
        self._process: Process | None = None
        self._failures = 0

    @property
    def _spec(self) -> Mapping[str, Any]:
        key = "initContainers" if self._init else "containers"
        found: Mapping[str, Any] = next(c for c in self._around.pod["spec"][key] if c["name"] == self._name)
        return found

    @property
    def _policy(self) -> str:
        policy: str = self._around.pod["spec"].get("restartPolicy", "Always")
        return "OnFailure" if self._init and policy == "Always" else policy

    @property
    def running(self) -> bool:
        """Whether its process runs right now."""
        return self._process is not None

    def log(self, *, previous: bool = False) -> Path:
        """The log of this run, or of the one before."""
        return self._around.folder / f"{self._name}.{self.state.restarts - (1 if previous else 0)}.log"

    async def run(self) -> None:
        """Until the container ended and will not be restarted, or `stop` was called."""
        while not self._stopping.is_set():
            await self._await_image()
            if self._stopping.is_set():
                return
            ended = await self._run_once()
            self.state.ready = self.state.started = False
            if ended is None:
                continue
            self.state.state = ended
            if self._stopping.is_set() or not spec.restarts(self._policy, ended.exit_code):
                if self._init and ended.exit_code == 0:
                    self.state.ready = True
                self._around.changed()
                return
            await self._back_off(ended)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not beyond a stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _wait(self, reason: str, message: str) -> None:
        self.state.state = Waiting(reason, message)
        self._around.changed()

    async def _await_image(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            image = self._spec["image"]
            if spec.image_exists(image):
                self.state.image = image
                return
            attempt += 1
            failure = f'failed to pull image "{image}": no such host'
            self._wait("ErrImagePull", failure)
            self._around.tell("Failed", f"Error: ErrImagePull: {failure}", warning=True)
            await self._pause(0.5)
            self._wait("ImagePullBackOff", f'Back-off pulling image "{image}"')
            for _ in range(int(min(10 * 2 ** (attempt - 1), 300) / 0.5)):
                # A corrected image is taken up at once.
                if self._stopping.is_set() or self._spec["image"] != image:
                    break
                await self._pause(0.5)

    async def _run_once(self) -> Terminated | None:
        """One run; None when it could not be configured."""
        container = self._spec
        begun = _now()
        try:
            spec.refuse_volumes(container)
            environment = await self._around.environment(container)
            command = spec.command_line(container, environment)
            account = await self._around.account() if spec.wants_account(container) else None
        except spec.ConfigError as error:
            missing_command = not container.get("command")
            self._wait(
                "CreateContainerError" if missing_command else "CreateContainerConfigError", str(error)
            )
            await self._pause(_RETRY_S)
            return None
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            self._wait("CreateContainerConfigError", str(error) or repr(error))
            await self._pause(_RETRY_S)
            return None
        if self._stopping.is_set():
            return None
        start = functools.partial(
            Process,
            namespace=self._around.namespace,
            environment=environment,
            workdir=self._around.workdir(container),
            account=account,
        )
        try:
            process = start(command, log=self.log())
        except StartError as error:
            text = f"failed to start container {self._name!r}: {error}"
            self.state.last = Terminated(_START_FAILED, "StartError", begun, _now(), text)
            self._wait("RunContainerError", text)
            self._around.tell("Failed", f"Error: {text}", warning=True)
            await self._pause(0.5)
            return Terminated(_START_FAILED, "StartError", begun, _now(), text)
        self._process = process
        self.state.process = f"process://{process.pid}"
        scratch = self._around.folder / f"{self._name}.exec.log"
        prober = probe.Prober(
            container,
            address=self._around.address,
            run=functools.partial(start, log=scratch),
            scratch=scratch,
        )
        return await self._watch(container, process, prober)

    async def _watch(
        self, container: Mapping[str, Any], process: Process, prober: probe.Prober
    ) -> Terminated:
        """From the start of the process to its end."""
        since = _now()
        self.state.state = Running(since)
        self._around.tell("Started", f"Started container {self._name}")
        health = Health(
            container,
            state=self.state,
            prober=prober,
            changed=self._around.changed,
            unhealthy=lambda text: self._around.tell("Unhealthy", text, warning=True),
        )
        with health:
            lost = asyncio.create_task(health.lost.wait())
            waits: set[asyncio.Future[Any]] = {process.ended, lost}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            lost.cancel()
        if not process.ended.done():
            self._around.tell("Killing", f"Container {self._name} failed a probe and will be restarted")
            await process.stop(grace=float(self._around.pod["spec"].get("terminationGracePeriodSeconds", 30)))
        self._process = None
        code = process.ended.result()
        return Terminated(code, "Completed" if code == 0 else "Error", since, _now())

    async def _back_off(self, ended: Terminated) -> None:
        """Between an end and the next start."""
        lasted = (ended.finished - ended.started).total_seconds()
        # Ten minutes of good running forgive all earlier failures, as in the kubelet.
        self._failures = 1 if lasted > 600 else self._failures + 1
        seconds = spec.backoff(self._failures, self._around.crash_backoff_s)
        self.state.last = ended
        if seconds > 0:
            message = f"back-off {seconds:g}s restarting failed container={self._name}"
            self._wait("CrashLoopBackOff", message)
            self._around.tell("BackOff", f"Back-off restarting failed container {self._name}", warning=True)
            await self._pause(seconds)
        if not self._stopping.is_set():
            self.state.restarts += 1

    async def stop(self, *, grace: float) -> None:
        """End the container; `run` returns soon after."""
        self._stopping.set()
        deadline = asyncio.get_running_loop().time() + grace
        process = self._process
        if process is None:
            return
        if grace > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._before_stop(process), grace)
        await process.stop(grace=max(0.0, deadline - asyncio.get_running_loop().time()))

    async def _before_stop(self, process: Process) -> None:
        """The preStop hook, cut short when the process ends by itself."""
        hook = self._spec.get("lifecycle", {}).get("preStop")
        if not hook:
            return
        if "sleep" in hook:
            await asyncio.wait({process.ended}, timeout=float(hook["sleep"]["seconds"]))
        elif "exec" in hook:
            environment = await self._around.environment(self._spec)
            with contextlib.suppress(StartError):
                run = Process(
                    hook["exec"]["command"],
                    namespace=self._around.namespace,
                    environment=environment,
                    workdir=self._around.workdir(self._spec),
                    log=self.log(),
                    account=None,
                )
                await run.ended
