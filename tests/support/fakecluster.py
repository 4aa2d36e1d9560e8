"""A cluster in memory behind the operator's own port, for crash, concurrency and property tests.

It keeps the API server's rules that the operator relies on: resourceVersions and uids fence, `status` and
the rest are written apart, server-side apply owns leaf by leaf, a write that changes nothing is none,
dependants go with their owner. What it does not know (schemas, defaults, CEL) is proved on the
real control plane in `tests/e2e`.
"""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonpatch

from modelramp.kube.errors import Fenced, FieldConflict, Missing, Refused
from modelramp.kube.kinds import DEPLOYMENT
from support import ownership, rules
from support.faults import Faults, Write
from support.ownership import Manager, Owners
from support.rules import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelramp.kube.kinds import Kind

    Watcher = Callable[[str, Kind, dict[str, Any]], None]
    Policy = Callable[[Write, dict[str, Any] | None, dict[str, Any]], None]
    from support.rules import Key

_USER = "kubectl"


class FakeCluster:
    """Implements `modelramp.kube.port.Cluster`; methods without `async` are the world around the operator.

    Attributes:
        writes: every write request of the operator, in order, those that changed nothing included.
        events: bodies of created Events.
        reads: how often an object was confirmed.
        faults: what shall go wrong with coming writes.
        policies: called with (write, old object or None, new object) before a write is stored; raise
            `Refused` to deny.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.writes: list[Write] = []
        self.events: list[dict[str, Any]] = []
        self.reads = 0
        self.faults = Faults()
        self.policies: list[Policy] = []
        self._clock = clock
        self._objects: dict[Key, Stored] = {}
        self._watchers: list[Watcher] = []
        self._version = 1000
        self._uids = 0

    # -- the port ------------------------------------------------------------------------------------------

    async def list(self, kind: Kind, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """As the port: what matches the kind's selector, sorted by namespace and name."""
        await asyncio.sleep(0)
        found = [
            stored.body
            for (of, where, _), stored in self._objects.items()
            if of == kind and namespace in (None, where) and rules.selected(kind, stored.body)
        ]
        found.sort(key=lambda body: (body["metadata"].get("namespace", ""), body["metadata"]["name"]))
        return deepcopy(found)

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
        await asyncio.sleep(0)
        metadata = body["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        write = Write(
            verb="apply", kind=kind, namespace=key[1], name=key[2], manager=manager, subresource=subresource
        )

        def change(stored: Stored | None) -> tuple[dict[str, Any], Owners]:
            rules.fence(stored, metadata, key, subresource=subresource)
            if any(value is None for value in ownership.leaves(body).values()):
                raise Refused(422, "Invalid", f"{write}: an apply must not carry null values")
            if stored is None and subresource:
                raise Missing(f"{kind.resource} {key[2]!r} not found")
            live, owners = (stored.body, stored.owners) if stored else (rules.empty(kind, key), {})
            me = Manager(manager, "Apply", subresource)
            wanted = rules.part(body, subresource)
            try:
                return ownership.apply(live, owners, me, wanted, force=force)
            except ownership.ConflictError as error:
                raise FieldConflict(error.managers, str(error)) from error

        return self._write(write, key, change)

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
        await asyncio.sleep(0)
        key = (kind, namespace, name)
        me = "modelramp"
        write = Write(
            verb="json_patch", kind=kind, namespace=namespace, name=name, manager=me, subresource=subresource
        )

        def change(stored: Stored | None) -> tuple[dict[str, Any], Owners]:
            if stored is None:
                raise Missing(f"{kind.resource} {name!r} not found")
            try:
                patched = jsonpatch.apply_patch(stored.body, [*operations])
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
                raise Fenced(f"{write}: {error}") from error
            return rules.updated(stored, patched, Manager(me, "Update", subresource))

        return self._write(write, key, change)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, resource_version: str | None = None
    ) -> None:
        """As the port."""
        await asyncio.sleep(0)
        write = Write(verb="delete", kind=kind, namespace=namespace, name=name)
        fault = self._before(write)
        stored = self._objects.get((kind, namespace, name))
        if stored:
            fence = {"uid": uid, "resourceVersion": resource_version}
            rules.fence(stored, fence, (kind, namespace, name))
            self.writes[-1] = replace(write, changed=True)
            self.remove(kind, namespace, name)
        self.faults.after(fault, write)

    async def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """As the port."""
        await asyncio.sleep(0)
        self.reads += 1
        found = self.get(kind, namespace, name)
        if found is None:
            raise Missing(f"{kind} {namespace}/{name} is not there")
        return found

    async def create_event(self, body: dict[str, Any]) -> None:
        """As the port; kept in `events`, and no part of `writes`."""
        await asyncio.sleep(0)
        self.events.append(deepcopy(body))

    # -- the world -----------------------------------------------------------------------------------------

    def watch(self, watcher: Watcher) -> None:
        """Calls `watcher(type, kind, object)` for each change, as a watch with the kind's selector would."""
        self._watchers.append(watcher)

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        """The object as it is now."""
        stored = self._objects.get((kind, namespace, name))
        return deepcopy(stored.body) if stored else None

    def all(self, kind: Kind) -> Sequence[dict[str, Any]]:
        """Every object of a kind, whatever its labels."""
        return [deepcopy(stored.body) for (of, _, _), stored in self._objects.items() if of == kind]

    def place(self, kind: Kind, body: dict[str, Any], *, manager: str = _USER) -> dict[str, Any]:
        """Somebody creates an object, or replaces an existing one; `status` is taken as well."""
        metadata = body["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        stored = self._objects.get(key) or Stored(rules.empty(kind, key))
        wanted = deepcopy(body)
        servers = {
            name: value
            for name, value in stored.body["metadata"].items()
            if name in ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
        }
        wanted["metadata"] = {**wanted["metadata"], **servers}
        wanted |= {"apiVersion": kind.api_version, "kind": kind.kind}
        me = Manager(manager, "Update", None)
        return self._store(key, wanted, ownership.update(stored.body, stored.owners, me, wanted))

    def edit(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[dict[str, Any]], object],
        *,
        manager: str = _USER,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Somebody changes an object in place (as `kubectl edit`), or its status, as its controller would."""
        key = (kind, namespace, name)
        stored = self._objects[key]
        edited = deepcopy(stored.body)
        change(edited)
        return self._store(key, *rules.updated(stored, edited, Manager(manager, "Update", subresource)))

    def remove(self, kind: Kind, namespace: str, name: str, *, orphan: bool = False) -> None:
        """Somebody deletes an object: at once, or when its finalizers are gone. Dependants go too."""
        key = (kind, namespace, name)
        stored = self._objects[key]
        if stored.body["metadata"].get("finalizers"):
            marked = deepcopy(stored.body)
            marked["metadata"].setdefault("deletionTimestamp", self._now())
            self._store(key, marked, stored.owners)
            if orphan:
                # The garbage collector's own finalizer is gone again by the time anybody looks.
                self._collect(stored.body["metadata"]["uid"], orphan=True)
            return
        del self._objects[key]
        self._version += 1
        stored.body["metadata"]["resourceVersion"] = str(self._version)
        if rules.selected(kind, stored.body):
            self._tell("DELETED", kind, stored.body)
        self._collect(stored.body["metadata"]["uid"], orphan=orphan)

    # -- inside --------------------------------------------------------------------------------------------

    def _before(self, write: Write) -> Any:  # noqa: ANN401 - a fault, or None
        self.writes.append(write)
        return self.faults.before(write)

    def _write(
        self, write: Write, key: Key, change: Callable[[Stored | None], tuple[dict[str, Any], Owners]]
    ) -> dict[str, Any]:
        fault = self._before(write)
        stored = self._objects.get(key)
        body, owners = change(stored)
        for policy in self.policies:
            policy(write, stored.body if stored else None, body)
        version = self._version
        answer = self._store(key, body, owners)
        self.writes[-1] = replace(write, changed=self._version != version)
        self.faults.after(fault, write)
        return answer

    def _store(self, key: Key, body: dict[str, Any], owners: Owners) -> dict[str, Any]:
        before = self._objects.get(key)
        kind, metadata = key[0], body["metadata"]
        if kind == DEPLOYMENT:
            body.setdefault("spec", {}).setdefault("replicas", 1)
        if before and body == before.body and owners == before.owners:
            return deepcopy(body)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        if before is None:
            self._uids += 1
            metadata |= {"uid": f"00000000-0000-4000-8000-{self._uids:012}", "creationTimestamp": self._now()}
            metadata["generation"] = 1
        elif rules.wanted(before.body) != rules.wanted(body):
            metadata["generation"] += 1
        stored = Stored(body, owners, rules.times(before, body, owners, now=self._now()))
        metadata["managedFields"] = rules.managed_fields(stored, kind)
        self._objects[key] = stored
        self._tell_change(kind, before.body if before else None, body)
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.remove(*key)
        return deepcopy(body)

    def _tell_change(self, kind: Kind, before: dict[str, Any] | None, body: dict[str, Any]) -> None:
        seen, sees = before is not None and rules.selected(kind, before), rules.selected(kind, body)
        if sees:
            self._tell("MODIFIED" if seen else "ADDED", kind, body)
        elif seen:
            self._tell("DELETED", kind, body)

    def _tell(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        for watcher in self._watchers:
            watcher(event, kind, deepcopy(body))

    def _collect(self, uid: str, *, orphan: bool) -> None:
        for key, stored in tuple(self._objects.items()):
            references = stored.body["metadata"].get("ownerReferences", [])
            if key not in self._objects or all(reference["uid"] != uid for reference in references):
                continue
            if not orphan:
                self.remove(*key)
                continue
            kept = deepcopy(stored.body)
            kept["metadata"]["ownerReferences"] = [item for item in references if item["uid"] != uid]
            self._store(key, *rules.updated(stored, kept, Manager("kube-controller-manager", "Update", None)))

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
