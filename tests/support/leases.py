"""Leases in memory, kept as the API server does, behind a network that can be slow, cut, or lose answers."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from modelramp.kube.errors import Fenced, Missing, Refused, Unavailable

if TYPE_CHECKING:
    from modelramp.kube.kinds import Kind


class LeaseServer:
    """What all processes share.

    Attributes:
        objects: by namespace and name.
        namespaces: that exist.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.namespaces = {"modelramp-system"}
        self._version = 100

    def store(self, body: dict[str, Any]) -> dict[str, Any]:
        """Stores it under the next resourceVersion."""
        self._version += 1
        stored = deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[body["metadata"]["namespace"], body["metadata"]["name"]] = stored
        return deepcopy(stored)


class Connection:
    """One process' way to the server; implements `modelramp.kube.election.Leases`.

    Attributes:
        delay: seconds from a request to its being carried out.
        cut: nothing arrives.
        lose: requests are carried out, and their answers do not arrive.
        forbidden: the process has no rights.
        requests: verb, time on the loop's clock, and what came of each.
    """

    def __init__(self, server: LeaseServer) -> None:
        self._server = server
        self.delay = 0.01
        self.cut = False
        self.lose = False
        self.forbidden = False
        self.requests: list[tuple[str, float, str]] = []

    def verbs(self, outcome: str = "ok") -> list[str]:
        """Verbs of the requests that ended so."""
        return [verb for verb, _, ended in self.requests if ended == outcome]

    async def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """As the port."""
        return await self._request("get", kind, {"metadata": {"namespace": namespace, "name": name}})

    async def create(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """As the port."""
        return await self._request("create", kind, body)

    async def replace(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """As the port."""
        return await self._request("replace", kind, body)

    async def _request(self, verb: str, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        begun, outcome = asyncio.get_running_loop().time(), "cut short"
        try:
            await asyncio.sleep(self.delay)
            answer = self._transmit(verb, kind, body)
            outcome = "ok"
        except (Fenced, Missing, Refused, Unavailable) as error:
            outcome = type(error).__name__
            raise
        finally:
            self.requests.append((verb, round(begun, 2), outcome))
        return answer

    def _transmit(self, verb: str, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        if self.cut:
            raise Unavailable("no connection")
        answer = self._carry_out(verb, kind, body)
        if self.lose:
            raise Unavailable("no answer")
        return answer

    def _carry_out(self, verb: str, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        assert kind.resource == "leases.coordination.k8s.io"
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        stored = self._server.objects.get(key)
        if self.forbidden:
            raise Refused(403, "Forbidden", f"cannot {verb} resource leases")
        if verb == "create":
            if key[0] not in self._server.namespaces:
                raise Missing(f"namespaces {key[0]!r} not found")
            if stored:
                raise Fenced(f"leases {key[1]!r} already exists")
            return self._server.store(body)
        if stored is None:
            raise Missing(f"leases {key[1]!r} not found")
        if verb == "get":
            return deepcopy(stored)
        if stored["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Fenced("the object has been modified")
        return self._server.store(body)
