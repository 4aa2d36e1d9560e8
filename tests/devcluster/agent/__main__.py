"""`python -m devcluster.agent SETTINGS`: play the nodes and run their pods until ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devcluster import access
from devcluster.agent import logs, nodes
from devcluster.agent.addresses import Pool
from devcluster.agent.api import Api
from devcluster.agent.pod import Pod
from devcluster.agent.process import account_mount_point
from devcluster.agent.settings import Settings
from devcluster.agent.spec import STATUS_ONLY

if TYPE_CHECKING:
    from devcluster.agent.container import Container

_log = logging.getLogger("devcluster.agent")
_POD_ADDRESSES = "10.244.16.0/20"
# Pods without a process have addresses that lead nowhere.
_PRETENDED_ADDRESSES = "10.245.0.0/16"


class Agent:
    """Keeps one `Pod` for each pod object that is bound to one of its nodes."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._real = Pool(_POD_ADDRESSES)
        self._pretended = Pool(_PRETENDED_ADDRESSES)

    def find(self, namespace: str, pod: str, container: str) -> Container | None:
        """The container of that name, for its log."""
        for known in self._pods.values():
            metadata = known.pod["metadata"]
            if metadata["namespace"] == namespace and metadata["name"] == pod:
                return next((c for c in known.every_container if c.state.name == container), None)
        return None

    async def follow_pods(self) -> None:
        """Act on each change of a pod, for ever."""
        async for kind, found in self._api.watch("/api/v1/pods"):
            if kind == "LIST":
                present = {pod["metadata"]["uid"] for pod in found["items"]}
                for pod in found["items"]:
                    self._see(pod)
                for uid in set(self._pods) - present:
                    self._pods[uid].gone()
            elif kind == "DELETED":
                if known := self._pods.get(found["metadata"]["uid"]):
                    known.gone()
            else:
                self._see(found)

    def _see(self, pod: dict[str, Any]) -> None:
        if pod["spec"].get("nodeName") not in self._settings.nodes:
            return
        uid = pod["metadata"]["uid"]
        if known := self._pods.get(uid):
            known.update(pod)
        elif pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            pretended = pod["metadata"].get("annotations", {}).get(STATUS_ONLY) == "true"
            pool = self._pretended if pretended else self._real
            self._pods[uid] = Pod(pod, api=self._api, settings=self._settings, addresses=pool)
            task = asyncio.create_task(self._run(uid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, uid: str) -> None:
        try:
            await self._pods[uid].run()
        except Exception:  # noqa: BLE001 - one pod's failure must not end the others
            _log.exception("pod %s", uid)
        finally:
            del self._pods[uid]


async def _main(settings: Settings) -> None:
    pki = settings.folder / "pki"
    api = Api(
        access.INSIDE,
        authority=settings.authority,
        certificate=pki / "node-agent.crt",
        key=pki / "node-agent.key",
    )
    agent = Agent(api, settings)
    runner = await logs.serve(settings, agent.find)
    try:
        for name in settings.nodes:
            await nodes.register(api, name, pods=settings.pods_per_node)
        leases = [nodes.keep_lease(api, name) for name in settings.nodes]
        work = asyncio.gather(agent.follow_pods(), *leases)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        await runner.cleanup()
        await api.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    Path(account_mount_point()).mkdir(parents=True, exist_ok=True)
    asyncio.run(_main(Settings.read(Path(sys.argv[1]))))
