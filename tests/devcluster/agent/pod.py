"""One pod's life: network, init containers, containers, status, deletion."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from devcluster import netns, processes
from devcluster.agent import spec, status, supplies
from devcluster.agent.api import ApiError
from devcluster.agent.container import Container

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devcluster.agent.addresses import Pool
    from devcluster.agent.api import Api
    from devcluster.agent.settings import Settings

_log = logging.getLogger(__name__)
_STRATEGIC = "application/strategic-merge-patch+json"
_NOT_FOUND = 404
_CONFLICT = 409


class Pod:
    """Does what one pod object says.

    Args:
        pod: as it was first seen.
        api: client of the API server.
        settings: of the agent.
        addresses: where the pod's address comes from.
    """

    def __init__(self, pod: dict[str, Any], *, api: Api, settings: Settings, addresses: Pool) -> None:
        self.pod = pod
        self.crash_backoff_s = settings.crash_backoff_s
        self.uid: str = pod["metadata"]["uid"]
        self.namespace = f"{settings.pod_namespace_prefix}{self.uid[:8]}"
        self.folder = settings.folder / "pods" / self.uid
        self.address = ""
        self._api = api
        self._settings = settings
        self._addresses = addresses
        self._account_lock = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._deleted = asyncio.Event()
        self._begun = dt.datetime.now(dt.UTC)
        self._events: set[asyncio.Task[None]] = set()
        self._init = [Container(c["name"], self, init=True) for c in pod["spec"].get("initContainers", [])]
        self.containers = [Container(c["name"], self) for c in pod["spec"]["containers"]]

    @property
    def every_container(self) -> list[Container]:
        """Init containers too."""
        return [*self._init, *self.containers]

    @property
    def _path(self) -> str:
        metadata = self.pod["metadata"]
        return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"

    def update(self, pod: dict[str, Any]) -> None:
        """The object changed."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
        self._dirty.set()

    def gone(self) -> None:
        """The object was removed by force."""
        self.pod["metadata"]["deletionGracePeriodSeconds"] = 0
        self._deleted.set()

    async def run(self) -> None:
        """From creation until the object is gone and nothing is left of the pod."""
        if self.pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
        if self.pod["metadata"].get("annotations", {}).get(spec.STATUS_ONLY) == "true":
            await self._pretend()
            return
        writer = asyncio.create_task(self._write_statuses())
        life = asyncio.create_task(self._live())
        life.add_done_callback(self._log_failure)
        try:
            await self._deleted.wait()
            await self._stop(life)
        finally:
            for task in (life, writer):
                task.cancel()
            await asyncio.gather(life, writer, return_exceptions=True)
            self._clean_up()
        await self._finish()

    async def _live(self) -> None:
        """Start everything; returns when all containers ended for good."""
        self.address = self._addresses.take(
            self.pod["metadata"].get("annotations", {}).get(spec.WANTED_ADDRESS)
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.changed()
        netns.make_pod(self.namespace, link=f"v{self.uid[:8]}", address=self.address)
        self.changed()
        for container in self._init:
            await container.run()
            if self._deleted.is_set() or not status.initialized([container.state]):
                return
        await asyncio.gather(*(container.run() for container in self.containers))

    async def _stop(self, life: asyncio.Task[None]) -> None:
        grace = float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        await asyncio.gather(*(container.stop(grace=grace) for container in self.every_container))
        await asyncio.wait({life}, timeout=5)

    def _log_failure(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (error := life.exception()) is not None:
            _log.error("pod %s cannot be run: %r", self._path, error)
            self.tell("FailedCreatePodSandBox", str(error), warning=True)

    def _clean_up(self) -> None:
        """End what is left in the pod's namespace, and remove namespace, files and address."""
        if netns.exists(self.namespace):
            ours, _ = processes.in_namespaces([self.namespace], self._settings.nonce)
            processes.stop(ours, grace=0)
            netns.remove(self.namespace)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.address:
            self._addresses.give_back(self.address)

    async def _finish(self) -> None:
        """Report the end, then let the object go."""
        with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
            await self._patch_status(self._status())
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        for _ in range(10):
            try:
                await self._api.call("DELETE", self._path, body)
            except ApiError as error:
                if error.code in (_NOT_FOUND, _CONFLICT):
                    return
                _log.warning("%s", error)
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.warning("deleting %s: %r", self._path, error)
            else:
                return
            await asyncio.sleep(0.5)

    # -- what containers need -------------------------------------------------------------------------------

    def changed(self) -> None:
        """The status is to be written."""
        self._dirty.set()

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event without waiting for it."""
        now = status.timestamp(dt.datetime.now(dt.UTC))
        task = asyncio.create_task(self._api.event(self.pod, reason, message, now=now, warning=warning))
        self._events.add(task)
        task.add_done_callback(self._events.discard)

    def workdir(self, container: Mapping[str, Any]) -> Path:
        """The container's workingDir, else the agent's."""
        return Path(container.get("workingDir") or self._settings.workdir)

    async def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """All variables of a container.

        Raises:
            spec.ConfigError: something that is referred to does not exist.
        """
        return await supplies.environment(
            container,
            api=self._api,
            pod=self.pod,
            address=self.address,
            base=self._settings.container_environment,
        )

    async def account(self) -> Path:
        """The service account's files, laid out as under /var/run/secrets."""
        root: Path = self.folder / "secrets"
        async with self._account_lock:
            if not root.exists():  # noqa: ASYNC240 - one stat of a local folder
                await supplies.account(root, api=self._api, pod=self.pod, authority=self._settings.authority)
        return root

    # -- status ---------------------------------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        init = [container.state for container in self._init]
        containers = [container.state for container in self.containers]
        result: dict[str, Any] = {
            "phase": status.phase(init, containers),
            "conditions": status.conditions(
                init,
                containers,
                gates=[gate["conditionType"] for gate in self.pod["spec"].get("readinessGates", [])],
                known=self.pod.get("status", {}).get("conditions", []),
                networked=netns.exists(self.namespace),
                now=dt.datetime.now(dt.UTC),
            ),
            "startTime": status.timestamp(self._begun),
            "hostIP": netns.NODE_ADDRESS,
            "hostIPs": [{"ip": netns.NODE_ADDRESS}],
            "containerStatuses": [state.document() for state in containers],
        }
        if init:
            result["initContainerStatuses"] = [state.document() for state in init]
        if self.address:
            result |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        return result

    async def _write_statuses(self) -> None:
        """Write the status whenever it differs from what was written last."""
        written: dict[str, Any] | None = None
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            fresh = self._status()
            if fresh == written:
                continue
            try:
                await self._patch_status(fresh)
                written = fresh
            except ApiError as error:
                if error.code == _NOT_FOUND:
                    return
                _log.warning("%s", error)
                await self._retry_soon()
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.warning("status of %s: %r", self._path, error)
                await self._retry_soon()

    async def _retry_soon(self) -> None:
        await asyncio.sleep(0.5)
        self._dirty.set()

    async def _patch_status(self, fresh: dict[str, Any]) -> None:
        body = {"metadata": {"uid": self.uid}, "status": fresh}
        answer = await self._api.call("PATCH", f"{self._path}/status", body, content=_STRATEGIC)
        self.pod = _newer(self.pod, answer)

    async def _pretend(self) -> None:
        """Status only: Ready at once, without a process, until deleted."""
        self.address = self._addresses.take()
        now = dt.datetime.now(dt.UTC)
        for container in self.containers:
            container.state.state = status.Running(now)
            container.state.ready = container.state.started = True
        for container in self._init:
            container.state.state = status.Terminated(0, "Completed", now, now)
        try:
            fresh = self._status()
            for condition in fresh["conditions"]:
                condition |= {"status": "True", "reason": None, "message": None}
            with contextlib.suppress(ApiError):
                await self._patch_status(fresh)
            await self._deleted.wait()
        finally:
            self._addresses.give_back(self.address)
        await self._finish()


def _newer(known: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The object that was written later; resource versions of one kind can be compared as numbers."""
    old, new = (int(pod["metadata"].get("resourceVersion", 0)) for pod in (known, answer))
    return answer if new > old else known
