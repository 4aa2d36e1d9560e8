"""The last seen state of every watched object, and who has to look again when one changes.

Watch events and the answers of our own writes both come in here, in any order: the newer resourceVersion
wins, so that a pass never decides on a state older than its own last write.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import MODEL_DEPLOYMENT, MODEL_VERSION, VIRTUAL_SERVICE
from modelramp.kube.slim import is_same, slim
from modelramp.traffic import virtualservice
from modelramp.workloads import labels

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from modelramp.kube.kinds import Kind

Key = tuple[str, str]
"""A ModelDeployment: namespace and name."""

_REMEMBERED = 10_000
"""Deleted objects that are remembered, so that a late answer does not bring one back."""


class Store:
    """Objects by kind, namespace and name. What is put in is never changed afterwards: neither may readers.

    Args:
        kinds: what is watched; the store is `ready` when all of them were listed.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._objects: dict[Kind, dict[Key, dict[str, Any]]] = defaultdict(dict)
        self._index = _Index()
        self._gone: dict[str, int] = {}
        self._unlisted = set(kinds)
        self._ready = asyncio.Event()

    # -- writing -------------------------------------------------------------------------------------------

    def put(self, kind: Kind, body: dict[str, Any]) -> set[Key]:
        """Takes an object in, unless a newer state of it is known.

        Returns:
            The ModelDeployments that have to look again; none if nothing is new.
        """
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        known = self._objects[kind].get(key)
        version = _version(body)
        if version <= self._gone.get(metadata["uid"], -1) or (known and version <= _version(known)):
            return set()
        kept = slim(kind, body)
        if known and is_same(kind, known, kept):
            self._objects[kind][key] = kept
            return set()
        wake = self._index.remove(kind, key, known) if known else set()
        self._objects[kind][key] = kept
        return wake | self._index.add(kind, key, kept)

    def drop(
        self, kind: Kind, namespace: str, name: str, uid: str, *, version: int | None = None
    ) -> set[Key]:
        """Takes an object out that is gone (or has lost the label it was watched by).

        Args:
            kind: the object's kind.
            namespace: its namespace.
            name: its name.
            uid: the uid of what is gone: another object by that name stays.
            version: resourceVersion of the deletion; None: that of the last seen state.

        Returns:
            The ModelDeployments that have to look again.
        """
        key = (namespace, name)
        known = self._objects[kind].get(key)
        same = known is not None and known["metadata"]["uid"] == uid
        last = _version(known) if known and same else 0
        if version is not None and version < last:
            return set()
        self._forget(uid, version if version is not None else last)
        if not known or not same:
            return set()
        del self._objects[kind][key]
        return self._index.remove(kind, key, known)

    def reconcile_list(self, kind: Kind, metadata: Iterable[dict[str, Any]], *, before: int) -> set[Key]:
        """Drops what is no longer there: kopf loses deletions that happen while it lists again after a gap.

        Args:
            kind: the kind that was listed.
            metadata: the `metadata` of every object that is there.
            before: `newest()` when the list began; what came in later is left alone.
        """
        there = {item["uid"] for item in metadata}
        wake: set[Key] = set()
        for body in self.all(kind):
            found = body["metadata"]
            if found["uid"] not in there and _version(body) <= before:
                wake |= self.drop(kind, found.get("namespace", ""), found["name"], found["uid"])
        return wake

    def unknown(self, kind: Kind, metadata: Iterable[dict[str, Any]], *, before: int) -> set[str]:
        """The uids of what was listed and is not here, although events as new as it have come in."""
        known = {body["metadata"]["uid"] for body in self.all(kind)} | self._gone.keys()
        return {
            item["uid"]
            for item in metadata
            if item["uid"] not in known and int(item["resourceVersion"]) <= before
        }

    def _forget(self, uid: str, version: int) -> None:
        self._gone.pop(uid, None)
        self._gone[uid] = version
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    # -- the barrier ---------------------------------------------------------------------------------------

    def mark_listed(self, kind: Kind) -> None:
        """Everything there is of this kind has been put in."""
        self._unlisted.discard(kind)
        if not self._unlisted:
            self._ready.set()

    @property
    def ready(self) -> bool:
        """Whether every kind has been listed: before that, absence means nothing."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Returns when every kind has been listed."""
        await self._ready.wait()

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        """The last seen state of one object."""
        return self._objects[kind].get((namespace, name))

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Every object of a kind."""
        return list(self._objects[kind].values())

    def keys(self) -> list[Key]:
        """Every ModelDeployment."""
        return list(self._objects[MODEL_DEPLOYMENT])

    def children(self, kind: Kind, key: Key) -> list[dict[str, Any]]:
        """The objects that carry the label of this ModelDeployment, in its namespace, by name."""
        return [self._objects[kind][item] for item in sorted(self._index.children(kind, key))]

    def routes_of(self, host: str) -> list[dict[str, Any]]:
        """Every VirtualService, ours or not, naming this host (in full, as `virtualservice.hosts`)."""
        return [self._objects[VIRTUAL_SERVICE][item] for item in sorted(self._index.routes(host))]

    def newest(self) -> int:
        """The highest resourceVersion that came in."""
        return max(
            (_version(body) for objects in self._objects.values() for body in objects.values()), default=0
        )


class _Index:
    """Who belongs to whom, kept along with the objects."""

    def __init__(self) -> None:
        self._sets: defaultdict[Hashable, set[Key]] = defaultdict(set)

    def children(self, kind: Kind, key: Key) -> set[Key]:
        return self._sets.get(("child", kind, key), set())

    def routes(self, host: str) -> set[Key]:
        return self._sets.get(("route", host), set())

    def add(self, kind: Kind, key: Key, body: dict[str, Any]) -> set[Key]:
        for entry in self._entries(kind, key, body):
            self._sets[entry].add(key)
        return self._concerned(kind, key, body)

    def remove(self, kind: Kind, key: Key, body: dict[str, Any]) -> set[Key]:
        concerned = self._concerned(kind, key, body)
        for entry in self._entries(kind, key, body):
            self._sets[entry].discard(key)
            if not self._sets[entry]:
                del self._sets[entry]
        return concerned

    def _entries(self, kind: Kind, key: Key, body: dict[str, Any]) -> Iterator[Hashable]:
        owner = _owner(kind, key, body)
        if kind == MODEL_DEPLOYMENT:
            yield ("wants", key[0], _wanted(body))
            for host in _deployment_hosts(body):
                yield ("serves", host)
        elif owner:
            yield ("child", kind, owner)
        if kind == VIRTUAL_SERVICE:
            for host in _route_hosts(body):
                yield ("route", host)

    def _concerned(self, kind: Kind, key: Key, body: dict[str, Any]) -> set[Key]:
        """The ModelDeployments that a change of this object may mean something to."""
        if kind == MODEL_VERSION:
            return set(self._sets.get(("wants", *key), set()))
        owner = _owner(kind, key, body)
        found = {owner} if owner else set()
        if kind == VIRTUAL_SERVICE:
            for host in _route_hosts(body):
                found |= self._sets.get(("serves", host), set())
        return found


def _version(body: dict[str, Any]) -> int:
    """A resourceVersion as a number: they are etcd's revisions, so that the higher one is the newer."""
    return int(body["metadata"]["resourceVersion"])


def _owner(kind: Kind, key: Key, body: dict[str, Any]) -> Key | None:
    if kind == MODEL_DEPLOYMENT:
        return key
    label = body["metadata"].get("labels", {}).get(labels.DEPLOYMENT)
    return (key[0], label) if label else None


def _wanted(body: dict[str, Any]) -> str:
    """The name of the ModelVersion that a ModelDeployment asks for."""
    spec = body.get("spec") or {}
    return f"{spec.get('model')}-{spec.get('version')}"


def _route_hosts(body: dict[str, Any]) -> set[str]:
    return {host for _, host in virtualservice.hosts(body)}


def _deployment_hosts(body: dict[str, Any]) -> set[str]:
    return {host for _, host in virtualservice.wanted_hosts(body)}
