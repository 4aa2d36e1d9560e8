"""Reads from a cluster what `modelramp status` and `why` show, and says in a person's words why it cannot."""

from __future__ import annotations

import contextlib
import difflib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from modelramp.api.base import parse_time
from modelramp.cli.failure import ExitCode, Failure
from modelramp.cli.picture import Note
from modelramp.kube.errors import ClusterError, Missing, Refused, Unauthorized, Unavailable
from modelramp.kube.kinds import MODEL_DEPLOYMENT, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from modelramp.kube.client import Client

_EVENT = Kind("events.k8s.io", "v1", "events", "Event")
_KUBECONFIG = "~/.kube/config"
OPERATOR_SERVICE = "modelramp:http"
"""The operator's Service and the port of its HTTP server."""

_NAMES = 5
_SOON, _LATER = 1.0, 5.0


def notes_of(events: Iterable[Mapping[str, Any]], *, uid: str) -> tuple[Note, ...]:
    """Our events about the object of that uid, newest first."""
    found = [
        Note(
            time=parse_time(event["eventTime"]),
            reason=event.get("reason", ""),
            message=event.get("note", ""),
            warning=event.get("type") == "Warning",
        )
        for event in events
        if (event.get("regarding") or {}).get("uid") == uid and event.get("eventTime")
    ]
    # A list comes in the order of names; of the same moment the later one in it is taken for the newer.
    found.sort(key=lambda note: note.time)
    return tuple(reversed(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was read at one moment."""

    body: Mapping[str, Any]
    notes: tuple[Note, ...]


class Source:
    """Reads one ModelDeployment and its events.

    Args:
        cluster: where to read.
        address: of the API server, for messages.
        namespace: of the object.
        name: of the object.
        clock: seconds that only go forward.
    """

    def __init__(
        self, cluster: Client, *, address: str, namespace: str, name: str, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._address = address
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._notes: tuple[Note, ...] = ()
        self._notes_of: object = None
        self._notes_due = clock()

    async def read(self) -> Sight:
        """The object as it is now.

        Raises:
            Unavailable: there was no answer; later there may be one.
            Failure: there is nothing to show, and trying again does not help.
        """
        try:
            bodies = await self._cluster.list(MODEL_DEPLOYMENT, namespace=self._namespace)
        except Unavailable:
            raise
        except ClusterError as error:
            raise self._explained(error) from error
        body = next((body for body in bodies if body["metadata"]["name"] == self._name), None)
        if body is None:
            raise Failure(
                _unknown(self._name, self._namespace, [item["metadata"]["name"] for item in bodies])
            )
        return Sight(body=body, notes=await self._read_notes(body["metadata"]))

    async def live(self, operator_namespace: str) -> dict[str, Any]:
        """What the operator answers about the object at this moment, by way of its Service.

        Raises:
            ClusterError: it cannot be asked, or has no answer.
        """
        path = f"/api/evidence/{self._namespace}/{self._name}"
        return await self._cluster.proxied(operator_namespace, OPERATOR_SERVICE, path)

    def unreachable(self, error: Unavailable) -> Failure:
        """There was no answer, not even once."""
        return Failure(
            f"the API server at {self._address} does not answer: {error}. Is the cluster up, and is it"
            " the right one? Choose another with --kubeconfig or --context",
            code=ExitCode.UNREACHABLE,
        )

    async def _read_notes(self, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
        """Events are written just after the object, and a list of them is long: read when one may be new."""
        changed = metadata.get("resourceVersion") != self._notes_of
        if not changed and self._clock() < self._notes_due:
            return self._notes
        self._notes_of = metadata.get("resourceVersion")
        self._notes_due = self._clock() + (_SOON if changed else _LATER)
        # Events are an extra that not everybody may read; the screen does without.
        with contextlib.suppress(ClusterError):
            self._notes = notes_of(
                await self._cluster.list(_EVENT, namespace=self._namespace), uid=metadata["uid"]
            )
        return self._notes

    def _explained(self, error: ClusterError) -> Failure:
        if isinstance(error, Missing):
            return Failure(
                f"the cluster at {self._address} knows no ModelDeployments: install them with"
                " kubectl apply -f crds/, or choose another cluster with --kubeconfig or --context"
            )
        if isinstance(error, Unauthorized):
            return Failure(
                f"the API server at {self._address} does not accept your credentials: {error}",
                code=ExitCode.UNREACHABLE,
            )
        if isinstance(error, Refused):
            return Failure(
                f"you may not read ModelDeployments in namespace {self._namespace}: {error}."
                f" Ask for the right to list {MODEL_DEPLOYMENT.resource} there"
            )
        return Failure(str(error))


@contextlib.asynccontextmanager
async def connected(
    *, kubeconfig: str | None, context: str | None, namespace: str | None, name: str
) -> AsyncIterator[Source]:
    """A source of that object, for as long as the block runs.

    Raises:
        Failure: there are no credentials for a cluster.
    """
    # The Kubernetes client takes a second to load, which --help should not wait for.
    from modelramp.kube import login  # noqa: PLC0415
    from modelramp.kube.client import Client  # noqa: PLC0415

    try:
        configuration = await login.load(kubeconfig=kubeconfig, context=context)
    except login.LoginError as error:
        raise Failure(str(error), code=ExitCode.UNREACHABLE) from error
    where = namespace or default_namespace(kubeconfig, context)
    client = Client(configuration)
    try:
        yield Source(client, address=configuration.host, namespace=where, name=name, clock=time.monotonic)
    finally:
        await client.close()


def default_namespace(kubeconfig: str | None, context: str | None) -> str:
    """The namespace of the context that is used, as kubectl's; `default` when it names none."""
    paths = [Path(part).expanduser() for part in (kubeconfig or _KUBECONFIG).split(os.pathsep) if part]
    configs = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in paths if path.is_file()]
    current = context or next((name for config in configs if (name := config.get("current-context"))), None)
    for config in configs:
        for entry in config.get("contexts") or []:
            if entry.get("name") == current:
                return str((entry.get("context") or {}).get("namespace") or "default")
    return "default"


def _unknown(name: str, namespace: str, names: list[str]) -> str:
    said = f"there is no ModelDeployment {name} in namespace {namespace}"
    near = difflib.get_close_matches(name, names)
    if near:
        return f"{said}; did you mean {' or '.join(near)}?"
    if names:
        more = ", …" if len(names) > _NAMES else ""
        return f"{said}; there are: {', '.join(names[:_NAMES])}{more}"
    return f"{said}, nor any other; see all with kubectl get mdep -A, and choose a namespace with -n"
