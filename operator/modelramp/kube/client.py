"""The adapter from the port to a real API server, on the generic calls of the Kubernetes client.

Bodies are plain dicts: models would cost start-up time, memory, and fields they do not know yet.
"""

from __future__ import annotations

import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from modelramp.kube import answers
from modelramp.kube.errors import ClusterError, Missing, Unavailable
from modelramp.kube.kinds import SERVICE, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubernetes.aio.client.configuration import Configuration

    Record = Callable[[Kind, str, str, float], None]
    Dated = Callable[[str | None, float], None]

PAGE = 500
"""Objects a list request asks for at once."""

CONNECTIONS = 128
"""Requests in flight at once: a hundred rollouts that start together must not queue behind each other."""

_CONNECT_TIMEOUT = 5.0
_WRITE_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=_CONNECT_TIMEOUT)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=_CONNECT_TIMEOUT)
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_READING = ("list", "get")
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_EVENT = Kind("events.k8s.io", "v1", "events", "Event")
_MANAGER = "modelramp"


class Client:
    """A `Cluster` behind HTTPS. Close it when done.

    Args:
        configuration: address and credentials (see `login.load`).
        record: called after each request with kind, verb, outcome (`ok` or the error's name) and seconds.
        dated: called with the `Date` of each answer and the seconds it took.
        may_write: asked before each write is sent. On False it raises `Unavailable` instead: somebody else
            may be at work by now.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        record: Record = lambda *_: None,
        dated: Dated = lambda *_: None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        # Left to itself the session reads ~/.netrc and the proxy variables again for each request.
        configuration.proxy = configuration.proxy or _proxy_of(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}
        self._api = ApiClient(configuration)
        self._api.user_agent = _MANAGER
        self._record = record
        self._dated = dated
        self._may_write = may_write

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def list(self, kind: Kind, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """As the port."""
        items = await self._pages(kind, namespace, accept="application/json")
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in items]

    async def list_metadata(self, kind: Kind, *, namespace: str | None = None) -> Sequence[dict[str, Any]]:
        """The `metadata` of what `list` would return; cheap for both sides."""
        items = await self._pages(kind, namespace, accept=_METADATA_ONLY)
        return [item["metadata"] for item in items]

    async def apply(
        self,
        kind: Kind,
        body: dict[str, Any],
        *,
        manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """As the port."""
        metadata = body["metadata"]
        return await self._request(
            "PATCH",
            kind,
            kind.path(metadata.get("namespace"), metadata["name"], subresource),
            verb="apply",
            query={"fieldManager": manager, "force": "true" if force else "false"},
            content_type=_APPLY,
            body={"apiVersion": kind.api_version, "kind": kind.kind, **body},
        )

    async def json_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[dict[str, Any]],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """As the port."""
        return await self._request(
            "PATCH",
            kind,
            kind.path(namespace, name, subresource),
            verb="json_patch",
            query={"fieldManager": _MANAGER},
            content_type=_JSON_PATCH,
            body=[*operations],
        )

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, resource_version: str | None = None
    ) -> None:
        """As the port."""
        version = {"resourceVersion": resource_version} if resource_version else {}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, **version},
            "propagationPolicy": "Background",
        }
        try:
            await self._request("DELETE", kind, kind.path(namespace, name), verb="delete", body=options)
        except Missing:
            return

    async def create_event(self, body: dict[str, Any]) -> None:
        """As the port."""
        await self.create(_EVENT, body)

    async def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """As the port. Without a resourceVersion in the request a read is never answered from a cache."""
        return await self._request("GET", kind, kind.path(namespace, name), verb="get")

    async def proxied(self, namespace: str, service: str, path: str) -> dict[str, Any]:
        """What a Service answers to a GET of that path, asked by the API server for us.

        Args:
            namespace: of the Service.
            service: its name, or `<name>:<port>`, the port by name or number.
            path: from the slash on.

        Raises:
            Missing: there is no such Service, or it has no such path.
            Refused: we may not `get services/proxy` there.
            Unavailable: nothing behind the Service answers.
        """
        proxy = SERVICE.path(namespace, service, f"proxy{path}")
        return await self._request("GET", SERVICE, proxy, verb="get")

    async def create(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """Creates a namespaced object, and gives it as it is now.

        Raises:
            Fenced: it is there already.
            Missing: its namespace is not there.
        """
        return await self._put("POST", kind, kind.path(body["metadata"]["namespace"]), body, verb="create")

    async def replace(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """Replaces a namespaced object as a whole, and gives it as it is now.

        Raises:
            Fenced: its resourceVersion is no longer that of `body`.
            Missing: it is not there.
        """
        metadata = body["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._put("PUT", kind, path, body, verb="replace")

    async def _put(
        self, method: str, kind: Kind, path: str, body: dict[str, Any], *, verb: str
    ) -> dict[str, Any]:
        return await self._request(
            method,
            kind,
            path,
            verb=verb,
            query={"fieldManager": _MANAGER},
            body={**body, "apiVersion": kind.api_version, "kind": kind.kind},
        )

    async def _pages(self, kind: Kind, namespace: str | None, *, accept: str) -> Sequence[dict[str, Any]]:
        query = {"limit": str(PAGE), **({"labelSelector": kind.selector} if kind.selector else {})}
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            page = await self._request(
                "GET",
                kind,
                kind.path(namespace),
                verb="list",
                query={**query, **({"continue": token} if token else {})},
                accept=accept,
            )
            # A list of metadata alone says null when there is nothing.
            items += page["items"] or []
            token = page["metadata"].get("continue", "")
            if not token:
                return items

    async def _request(
        self,
        method: str,
        kind: Kind,
        path: str,
        *,
        verb: str,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        body: Any = None,  # noqa: ANN401 - JSON
    ) -> dict[str, Any]:
        """One request, recorded with its outcome."""
        if verb not in _READING and not self._may_write():
            raise Unavailable(f"{verb} {kind.kind} {path}: not sent, another process may lead by now")
        started = time.monotonic()
        outcome = "error"
        try:
            parameters = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._answer(
                parameters, request=f"{verb} {kind.kind} {path}", reading=verb == "list"
            )
            outcome = "ok"
        except ClusterError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._record(kind, verb, outcome, time.monotonic() - started)
        return answer

    async def _answer(self, parameters: tuple[Any, ...], *, request: str, reading: bool) -> dict[str, Any]:
        try:
            method, url, headers, body, form = parameters
            timeout = _LIST_TIMEOUT if reading else _WRITE_TIMEOUT
            sent = time.monotonic()
            response = await self._api.call_api(method, url, headers, body, form, _request_timeout=timeout)
            self._dated(response.headers.get("Date"), time.monotonic() - sent)
            raw = await response.read()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise Unavailable(f"{request}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{request}: {error}") from error
        answer = answers.parsed(raw)
        if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP success
            raise answers.error(response.status, answer, request=request)
        return answer


def _proxy_of(address: str) -> str | None:
    """The proxy that the environment names for this address (`HTTPS_PROXY`, unless `NO_PROXY` excepts it)."""
    host = urlsplit(address)
    proxy = urllib.request.getproxies().get(host.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(host.hostname or "") else proxy
