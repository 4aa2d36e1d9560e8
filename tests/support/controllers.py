"""The rest of a cluster: Deployments get pods, Services get EndpointSlices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, SERVICE
from support.manifests import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from support.fakecluster import FakeCluster


class Controllers:
    """Deployment, ReplicaSet, kubelet and EndpointSlice controllers in one, and at once.

    Attributes:
        ready: whether pods of a version become ready; missing: they do.
    """

    def __init__(self, cluster: FakeCluster, clock: Callable[[], datetime]) -> None:
        self.ready: dict[str, bool] = {}
        self._cluster = cluster
        self._clock = clock

    def run(self) -> None:
        """Brings pods and endpoints to where the Deployments want them."""
        for body in self._cluster.all(DEPLOYMENT):
            ready = self.ready.get(body["metadata"]["labels"]["modelramp.dev/version"], True)
            replicas = body["spec"].get("replicas", 1)
            count = replicas if ready else 0
            self._endpoints(body, count)
            available = "True" if count or not replicas else "False"
            said = [
                {"type": "Available", "status": available, "lastTransitionTime": self._stamp(body, available)}
            ]
            if (body.get("status") or {}).get("conditions") != said:
                self._tell(body["metadata"]["name"], said)

    def _tell(self, name: str, conditions: list[dict[str, str]]) -> None:
        def change(live: dict[str, Any]) -> None:
            live.setdefault("status", {})["conditions"] = conditions

        who = {"manager": "kube-controller-manager", "subresource": "status"}
        self._cluster.edit(DEPLOYMENT, KEY[0], name, change, **who)

    def _stamp(self, body: dict[str, Any], status: str) -> str:
        known = (body.get("status") or {}).get("conditions") or [{}]
        if known[0].get("status") == status:
            return str(known[0]["lastTransitionTime"])
        return self._clock().isoformat().replace("+00:00", "Z")

    def _endpoints(self, body: dict[str, Any], count: int) -> None:
        name = body["metadata"]["name"]
        endpoints = [{"addresses": [f"10.0.0.{n + 1}"], "conditions": {"ready": True}} for n in range(count)]
        live = self._cluster.get(ENDPOINT_SLICE, KEY[0], name)
        if live is None:
            service = self._cluster.get(SERVICE, KEY[0], name)
            if service is None:
                return
            labels = {**service["metadata"]["labels"], "kubernetes.io/service-name": name}
            owner = {"kind": "Service", "name": name, "uid": service["metadata"]["uid"]}
            metadata = {"namespace": KEY[0], "name": name, "labels": labels, "ownerReferences": [owner]}
            self._cluster.place(ENDPOINT_SLICE, {"metadata": metadata, "endpoints": endpoints})
        elif live["endpoints"] != endpoints:

            def change(slice_: dict[str, Any]) -> None:
                slice_["endpoints"] = endpoints

            self._cluster.edit(ENDPOINT_SLICE, KEY[0], name, change)
