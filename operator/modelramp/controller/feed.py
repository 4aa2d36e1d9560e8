"""Fills the store: complete first lists, watch events, and now and then a look for missed deletions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from modelramp.kube.errors import Missing, Unavailable
from modelramp.kube.kinds import MODEL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modelramp.controller.store import Key, Store
    from modelramp.kube.kinds import Kind

_log = structlog.get_logger(__name__)

_RETRY = 1.0
_INSTALLED, _LONGEST = 5.0, 60.0
"""Seconds to the next look for a kind that was not installed: the first time, and at most."""


class UnwatchedError(Exception):
    """There are objects that no watch tells of: only a new process begins all watches anew."""


class Lists(Protocol):
    """What is needed of a cluster's client."""

    async def list(self, kind: Kind, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects of a kind."""
        ...

    async def list_metadata(self, kind: Kind, *, namespace: str | None = None) -> Sequence[dict[str, Any]]:
        """The `metadata` of all objects of a kind."""
        ...


class Feed:
    """Keeps the store up to date, and wakes who is concerned.

    Args:
        store: what is filled.
        cluster: where lists come from.
        kinds: what is watched.
        namespaces: the namespaces that are served; none means all.
        wake: called with each ModelDeployment that has to look again.
        wake_version: called with each ModelVersion that was seen.
        resync: seconds between two looks for missed deletions.
    """

    def __init__(
        self,
        *,
        store: Store,
        cluster: Lists,
        kinds: Iterable[Kind],
        namespaces: Sequence[str],
        wake: Callable[[Key], None],
        wake_version: Callable[[Key], None] = lambda _key: None,
        resync: float,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._kinds = tuple(kinds)
        self._namespaces = tuple(namespaces) or (None,)
        self._wake = wake
        self._wake_version = wake_version
        self._resync = resync
        self._absent: set[Kind] = set()
        self._unknown: dict[Kind, set[str]] = {}

    def on_event(self, kind: Kind, event: str | None, body: dict[str, Any]) -> None:
        """Takes a watch event in (`ADDED`, `MODIFIED`, `DELETED`; None is from a list)."""
        metadata = body["metadata"]
        if event == "DELETED":
            concerned = self._store.drop(
                kind,
                metadata.get("namespace", ""),
                metadata["name"],
                metadata["uid"],
                version=int(metadata["resourceVersion"]),
            )
        else:
            concerned = self._put(kind, body)
        self._wake_all(concerned)

    def _put(self, kind: Kind, body: dict[str, Any]) -> set[Key]:
        if kind == MODEL_VERSION:
            self._wake_version((body["metadata"]["namespace"], body["metadata"]["name"]))
        return self._store.put(kind, body)

    async def run(self) -> None:
        """Lists every kind until the store is ready, then looks for ghosts from time to time.

        Raises:
            UnwatchedError: a kind is served that was not installed, or a list has what no watch has shown.
                kopf looks for new kinds once, as their CRD changes; what the API server serves a moment later
                it never watches.
            ClusterError: a list is refused; that is a matter of permissions, which a restart may find mended.
        """
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._first(kind), name=f"first list of {kind.plural}")
        self._wake_all(self._store.keys())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_for_ghosts(), name="ghosts")
            group.create_task(self._look_for_kinds(), name="kinds")

    async def _look_for_ghosts(self) -> None:
        # What was deleted between our list and the watch's own is a ghost from the start.
        pause = min(self._resync, 30.0)
        while True:
            await asyncio.sleep(pause)
            pause = self._resync
            for kind in self._kinds:
                await self._drop_ghosts(kind)

    async def _look_for_kinds(self) -> None:
        """Ends when two looks in a row have found a kind that was absent: discovery has it by then."""
        seen: set[Kind] = set()
        pause = _INSTALLED
        while True:
            await asyncio.sleep(pause)
            served = {kind for kind in tuple(self._absent) if await self._is_served(kind)}
            if again := served & seen:
                names = ", ".join(sorted(kind.kind for kind in again))
                raise UnwatchedError(f"{names}: installed since the start; a new process watches it")
            seen = served
            pause = _INSTALLED if served or not self._absent else min(2 * pause, _LONGEST)

    async def _is_served(self, kind: Kind) -> bool:
        try:
            await self._cluster.list_metadata(kind, namespace=self._namespaces[0])
        except (Missing, Unavailable):
            return False
        return True

    async def _first(self, kind: Kind) -> None:
        """Lists until it works. A kind that is not installed counts as empty; its watch comes later."""
        while True:
            try:
                for namespace in self._namespaces:
                    for body in await self._cluster.list(kind, namespace=namespace):
                        self._wake_all(self._put(kind, body))
            except Missing:
                _log.warning(
                    "kind is not installed: counted as empty until it is",
                    kind=kind.kind,
                    resource=kind.resource,
                )
                self._absent.add(kind)
            except Unavailable as error:
                _log.warning("first list failed", kind=kind.kind, message=error.message, retry_in=_RETRY)
                await asyncio.sleep(_RETRY)
                continue
            self._store.mark_listed(kind)
            return

    async def _drop_ghosts(self, kind: Kind) -> None:
        before = self._store.newest()
        there: list[dict[str, Any]] = []
        try:
            for namespace in self._namespaces:
                there += await self._cluster.list_metadata(kind, namespace=namespace)
        except Missing:
            self._absent.add(kind)
        except Unavailable as error:
            _log.warning("looking for missed deletions failed", kind=kind.kind, message=error.message)
            return
        self._blame_watch(kind, there, before=before)
        concerned = self._store.reconcile_list(kind, there, before=before)
        if concerned:
            _log.info("dropped what the watch had missed", kind=kind.kind, concerned=len(concerned))
        self._wake_all(concerned)

    def _blame_watch(self, kind: Kind, there: Sequence[dict[str, Any]], *, before: int) -> None:
        """Ends when two lists in a row have an object older than the newest event, not in the store."""
        unknown = self._store.unknown(kind, there, before=before)
        if lost := unknown & self._unknown.get(kind, set()):
            raise UnwatchedError(f"{kind.kind}: {len(lost)} objects that the watch never showed")
        self._unknown[kind] = unknown

    def _wake_all(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._wake(key)
