"""The few API calls of the bring-up, made from inside the instance's namespace.

kubectl would do, but costs a process and a discovery per call, which is a good part of a start-up.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any

from devcluster import netns
from devcluster.failure import DevclusterError

if TYPE_CHECKING:
    from devcluster.instance import Instance

_PATHS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "Gateway": ("/apis/networking.istio.io/v1", "gateways"),
}


def fetch(instance: Instance, port: int, path: str, *, address: str = "127.0.0.1") -> int:
    """HTTP status of a plain GET inside the namespace, 0 when nobody answers."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        with netns.inside(instance.namespace):
            connection.connect()
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class ApiClient:
    """An administrator's client of the instance's API server; one connection for each call."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tls = ssl.create_default_context(cafile=str(instance.pki / "ca.crt"))
        self._tls.load_cert_chain(instance.pki / "admin.crt", instance.pki / "admin.key")

    def call(self, method: str, path: str, body: object = None, content: str = "application/json") -> Any:  # noqa: ANN401
        """The decoded answer, or its text where it is not JSON.

        Raises:
            DevclusterError: the API server refused.
            OSError: it does not answer.
        """
        connection = http.client.HTTPSConnection(netns.NODE_ADDRESS, 6443, timeout=30, context=self._tls)
        try:
            with netns.inside(self._instance.namespace):
                connection.connect()
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": content})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise DevclusterError(f"the API server refused {method} {path}: {answer.status} {text[:500]}")
        return json.loads(text) if text.startswith("{") else text

    def ready(self) -> bool:
        """Whether /readyz says ok."""
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except (OSError, http.client.HTTPException, DevclusterError):
            return False

    def apply(self, document: dict[str, Any]) -> None:
        """Server-side apply of one object of a kind that the bring-up uses."""
        prefix, plural = _PATHS[document["kind"]]
        metadata = document["metadata"]
        space = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        path = f"{prefix}{space}/{plural}/{metadata['name']}?fieldManager=devcluster&force=true"
        self.call("PATCH", path, document, "application/apply-patch+yaml")
