"""Watches: kopf brings every change of the watched kinds here, and they go on to one callback.

Only kopf's lowest level is used. Its handlers for creation, update and resumption, its timers and its indices
write annotations or finalizers to every object, or take minutes to start at ten thousand objects.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import kopf

from modelramp.kube.client import PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from modelramp.kube.kinds import Kind

    OnEvent = Callable[[Kind, str | None, dict[str, Any]], None]

_SERVER_TIMEOUT = 600
_EXIT_TIMEOUT = 20.0


def register(registry: kopf.OperatorRegistry, kinds: Iterable[Kind], on_event: OnEvent) -> None:
    """Lets `on_event(kind, type, object)` be called for each change of an object of these kinds.

    Args:
        registry: kopf's registry.
        kinds: what to watch; a kind that is not served at the start may stay unwatched (see `Feed.run`).
        on_event: gets `ADDED`, `MODIFIED`, `DELETED`, or None for what a first list (or one after a gap)
            has found. The object may be kept; it must return quickly and not raise.
    """
    for kind in kinds:
        _register(registry, kind, on_event)


def _register(registry: kopf.OperatorRegistry, kind: Kind, on_event: OnEvent) -> None:
    async def seen(event: kopf.RawEvent, **_: object) -> None:
        body: dict[str, Any] = {
            **event["object"],
            "apiVersion": kind.api_version,
            "kind": kind.kind,
        }
        on_event(kind, event["type"], body)

    kopf.on.event(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        id=f"watch-{kind.plural}",
        registry=registry,
    )(seen)


def lifecycle(
    registry: kopf.OperatorRegistry,
    *,
    login: Callable[[], Awaitable[kopf.ConnectionInfo]],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """What kopf does when it needs (new) credentials, and when it stops.

    `on_stop` is awaited while kopf stops, before it waits for tasks that it has not started itself.
    """

    async def authenticate(**_: object) -> kopf.ConnectionInfo:
        return await login()

    async def stop(**_: object) -> None:
        await on_stop()

    kopf.on.login(id="login", registry=registry)(authenticate)
    kopf.on.cleanup(id="stop", registry=registry)(stop)


def tuned(kinds: Iterable[Kind]) -> kopf.OperatorSettings:
    """Settings of kopf for a pure watcher: it writes nothing, remembers nothing, and lists in pages."""
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = PAGE
    settings.watching.server_timeout = _SERVER_TIMEOUT
    settings.watching.connect_timeout = 5
    for kind in kinds:
        if kind.selector:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector
    settings.queueing.idle_timeout = 0.2
    # A limit would let through limit/idle_timeout objects a second, and can block for ever.
    settings.queueing.worker_limit = None
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = _EXIT_TIMEOUT
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    return settings


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-seen state: the default copies and compares each object, and annotates it."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Nothing of the object."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> None:
        """Nothing was stored."""

    def store(self, **_: object) -> None:
        """Nothing is stored."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: there are none that could be resumed."""

    def fetch(self, **_: object) -> None:
        """Nothing was stored."""

    def store(self, **_: object) -> None:
        """Nothing is stored."""

    def purge(self, **_: object) -> None:
        """There is nothing to remove."""

    def touch(self, **_: object) -> None:
        """The object stays untouched."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """The essence as it is: we put nothing into it."""
        return essence
