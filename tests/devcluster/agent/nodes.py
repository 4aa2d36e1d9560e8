"""The nodes that the agent plays: registration, status, leases."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
from typing import TYPE_CHECKING, Any

import aiohttp

from devcluster import netns, parts
from devcluster.agent.api import ApiError
from devcluster.agent.status import timestamp

if TYPE_CHECKING:
    from devcluster.agent.api import Api

_log = logging.getLogger(__name__)
_RENEW_S = 10.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_EXISTS = 409
_NOT_FOUND = 404


def _node(name: str) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            os.uname().machine, os.uname().machine
        ),
        "node.kubernetes.io/instance-type": "devcluster",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def _status(name: str, *, pods: int, now: dt.datetime) -> dict[str, Any]:
    # Capacity is only what the scheduler reckons with; nothing limits a process to its share.
    capacity = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "100Gi", "pods": str(pods)}
    moment = timestamp(now)
    healthy = [("MemoryPressure", "KubeletHasSufficientMemory"), ("DiskPressure", "KubeletHasNoDiskPressure")]
    conditions = [
        {
            "type": kind,
            "status": "False",
            "reason": reason,
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
        }
        for kind, reason in [*healthy, ("PIDPressure", "KubeletHasSufficientPID")]
    ]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the node agent runs"}
    conditions.append(ready | {"lastHeartbeatTime": moment, "lastTransitionTime": moment})
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": netns.NODE_ADDRESS},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": parts.KUBELET_PORT}},
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "osImage": "devcluster",
            "kernelVersion": os.uname().release,
            "kubeletVersion": "v1.36.3",
            "kubeProxyVersion": "",
            "containerRuntimeVersion": "process://1",
            "machineID": name,
            "systemUUID": name,
            "bootID": name,
        },
    }


async def register(api: Api, name: str, *, pods: int) -> None:
    """Create the node, or take it over, and report it Ready."""
    try:
        await api.call("POST", "/api/v1/nodes", _node(name))
    except ApiError as error:
        if error.code != _EXISTS:
            raise
    body = {"status": _status(name, pods=pods, now=dt.datetime.now(dt.UTC))}
    await api.call(
        "PATCH", f"/api/v1/nodes/{name}/status", body, content="application/strategic-merge-patch+json"
    )


async def keep_lease(api: Api, name: str) -> None:
    """Renew the node's lease for ever; without it the node would be taken for lost."""
    while True:
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": 40,
            "renewTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        try:
            try:
                await api.call(
                    "PATCH", f"{_LEASES}/{name}", {"spec": spec}, content="application/merge-patch+json"
                )
            except ApiError as error:
                if error.code != _NOT_FOUND:
                    raise
                lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
                await api.call("POST", _LEASES, lease | {"spec": spec})
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("lease of %s: %r", name, error)
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(_RENEW_S)
