"""Making and reading the one pod that a test is about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devcluster import Cluster


def container_with(*command: str, **more: object) -> dict[str, Any]:
    """A container that runs this command."""
    return {"name": "main", "image": "any", "command": list(command), **more}


def create_pod(
    cluster: Cluster,
    namespace: str,
    *containers: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    **spec: object,
) -> None:
    """Create the pod `p`."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace, **(metadata or {})},
        "spec": {"containers": list(containers), **spec},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


def get_pod(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The pod as the API server has it."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", "p", "-n", namespace, "-o", "json"))
    return found


def main_status(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The status of the pod's container."""
    statuses = get_pod(cluster, namespace)["status"].get("containerStatuses", [{}])
    status: dict[str, Any] = statuses[0]
    return status


def waiting_reason(cluster: Cluster, namespace: str) -> str:
    """Why the pod's container waits; empty when it does not."""
    return str(main_status(cluster, namespace).get("state", {}).get("waiting", {}).get("reason", ""))


def await_pod(cluster: Cluster, namespace: str, condition: str) -> None:
    """Wait for a condition as `kubectl wait --for` names it."""
    cluster.kubectl("wait", "-n", namespace, f"--for={condition}", "pod/p", "--timeout=60s")
