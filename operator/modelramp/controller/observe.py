"""From objects to facts: reads what was seen, decides nothing, does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelramp.api.base import parse_time
from modelramp.api.modeldeployment import DeletionPolicy, ModelDeploymentSpec, Rollback
from modelramp.api.modelversion import ArtifactRole, ModelVersionSpec
from modelramp.controller import questions
from modelramp.controller.ownership import has_finalizer
from modelramp.controller.pods import workload_state
from modelramp.controller.stored import read_status
from modelramp.registry.digest import record_digest
from modelramp.rollout.facts import (
    ApexState,
    Deletion,
    Facts,
    Refusal,
    Request,
    RouteState,
    Unresolved,
    WorkloadState,
)
from modelramp.rollout.revision import Revision, make_revision
from modelramp.rollout.view import checkpoint_of
from modelramp.traffic import virtualservice
from modelramp.workloads import labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from modelramp.api.status import ModelDeploymentStatus
    from modelramp.controller.snapshot import Body, Snapshot
    from modelramp.judgement.evidence import Evidence

REQUEST = "modelramp.dev/request"
REQUEST_REASON = "modelramp.dev/request-reason"
REQUEST_TO = "modelramp.dev/request-to"
REQUEST_OVERRIDE = "modelramp.dev/request-override"
REQUESTED_BY = "modelramp.dev/requested-by"
# The garbage collector's own: `kubectl delete --cascade=orphan` and `--cascade=foreground`.
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A ModelDeployment's own text as values: all that needs no other object.

    Attributes:
        spec: what the user wrote; None when it cannot be read.
        problem: why it cannot be read, or what of its template cannot be.
        checkpoint: the evidence in status.
    """

    spec: ModelDeploymentSpec | None
    problem: Unresolved | None
    status: ModelDeploymentStatus
    checkpoint: Evidence | None


def read(body: Body) -> Reading:
    """Reads a ModelDeployment."""
    spec, problem = _spec(body)
    status = read_status(body)
    return Reading(spec=spec, problem=problem, status=status, checkpoint=checkpoint_of(status))


def observe(
    snapshot: Snapshot,
    *,
    now: datetime,
    reading: Reading | None = None,
    evidence: Evidence | None = None,
    lag: float = 60.0,
    queries: Mapping[str, str] | None = None,
    refusals: Mapping[str, Refusal] | None = None,
    clock: str | None = None,
    deleting_since: datetime | None = None,
) -> Facts:
    """The facts about one ModelDeployment.

    `reading` is that of its body, if it was read already; `deleting_since` is when it was first seen going.
    """
    body = snapshot.body
    metadata, raw = body["metadata"], body.get("spec") or {}
    reading = reading or read(body)
    spec, status = reading.spec, reading.status
    workloads = {state.revision.name: state for state in _workloads(snapshot)}
    wanted = reading.problem or _wanted(snapshot, spec, status, workloads)
    route = snapshot.route if _ours(snapshot.route, metadata) else None
    apex = snapshot.apex if _ours(snapshot.apex, metadata) else None
    conflict, taken = _conflict(snapshot)
    children = (route, apex, _deployment_of(status, snapshot))
    return Facts(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata.get("generation", 0),
        now=now,
        wanted=wanted,
        spec=spec,
        status=status,
        rollback=_rollback(raw),
        deletion=_deletion(snapshot.body, children, since=deleting_since or now),
        finalizer=has_finalizer(body),
        workloads=workloads,
        apex=_apex(apex, metadata),
        route=_route(route, metadata),
        conflict=conflict,
        taken=taken,
        evidence=evidence,
        checkpoint=reading.checkpoint,
        lag=lag,
        queries=queries or {},
        request=_request(metadata, status),
        status_written=status_written(metadata),
        refusals=refusals or {},
        clock=clock,
    )


def is_deleted(body: Body) -> bool:
    """Whether somebody has deleted the object; it is there until its finalizers are gone."""
    return "deletionTimestamp" in body["metadata"]


def _deletion(body: Body, children: Iterable[Body | None], *, since: datetime) -> Deletion | None:
    if not is_deleted(body):
        return None
    finalizers = body["metadata"].get("finalizers") or []
    # As it stands, since the rest of the spec may be unreadable.
    policy = (body.get("spec") or {}).get("deletionPolicy")
    # The garbage collector takes its finalizer off when it has taken off the owner references.
    # It does so with all of them: one alone lost its owner otherwise.
    owned = [labels.owned_by(child, body["metadata"]["uid"]) for child in children if child is not None]
    released = bool(owned) and not any(owned)
    return Deletion(
        since=since,
        orphan=policy == DeletionPolicy.ORPHAN or ORPHAN in finalizers or released,
        endless=policy == DeletionPolicy.ORPHAN,
        foreground=FOREGROUND in finalizers,
    )


def _workloads(snapshot: Snapshot) -> Iterable[WorkloadState]:
    """Our revisions; of an object that is being deleted also those that have no owner any more."""
    for deployment in snapshot.deployments:
        metadata = deployment["metadata"]
        owned = labels.owned_by(deployment, snapshot.body["metadata"]["uid"])
        left = is_deleted(snapshot.body) and not metadata.get("ownerReferences")
        if not owned and not left:
            continue
        state = workload_state(deployment, snapshot.slices, snapshot.pods)
        if state is not None:
            yield state if owned else replace(state, owned=False)


def _deployment_of(status: ModelDeploymentStatus, snapshot: Snapshot) -> Body | None:
    name = status.stable.service if status.stable is not None else None
    return next((item for item in snapshot.deployments if item["metadata"]["name"] == name), None)


def _spec(body: Body) -> tuple[ModelDeploymentSpec | None, Unresolved | None]:
    try:
        spec = ModelDeploymentSpec.model_validate(body.get("spec") or {})
        problem = template_problem(spec.workload.template.spec)
        if problem is None and spec.analysis is not None:
            problem = questions.problem(spec.analysis)
        return spec, Unresolved(reason="InvalidSpec", message=problem) if problem else None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in ("spec", *first["loc"]))
        return None, Unresolved(reason="InvalidSpec", message=f"{path}: {first['msg']}")


def template_problem(spec: Mapping[str, Any]) -> str | None:
    """What is wrong with a pod specification as far as we read it; the API server checks the rest."""
    path = "spec.workload.template.spec"
    if not isinstance(spec.get("containers"), list) or not spec["containers"]:
        return f"{path}.containers: must be a list with at least one container"
    for group in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(group) or []):
            if not isinstance(container, dict) or not isinstance(container.get("name"), str):
                return f"{path}.{group}[{number}]: must be a container with a name"
            env = container.get("env")
            if env is not None and not (
                isinstance(env, list) and all(isinstance(item, dict) for item in env)
            ):
                return f"{path}.{group}[{number}].env: must be a list of names with values"
    return None


def _rollback(raw: Mapping[str, Any]) -> Rollback | None:
    try:
        return Rollback.model_validate(raw["rollback"]) if raw.get("rollback") else None
    except ValidationError:
        return None


def _wanted(
    snapshot: Snapshot,
    spec: ModelDeploymentSpec | None,
    status: ModelDeploymentStatus,
    workloads: Mapping[str, WorkloadState],
) -> Revision | Unresolved:
    assert spec is not None  # noqa: S101 - an unreadable spec is a problem of its own
    metadata = snapshot.body["metadata"]
    name = f"{metadata['namespace']}/{spec.model}-{spec.version}"
    if snapshot.version is None:
        message = f"ModelVersion {name} does not exist: apply it, or set spec.version to one that does"
        return Unresolved(reason="VersionUnknown", message=message)
    try:
        record = ModelVersionSpec.model_validate(snapshot.version.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in ("spec", *first["loc"]))
        return Unresolved(reason="InvalidSpec", message=f"ModelVersion {name}: {field}: {first['msg']}")
    digest = record_digest(record)
    known = _known_digest(spec.version, status, workloads)
    if known and known != digest:
        message = (
            f"ModelVersion {name} is not the record that was deployed here under this version"
            f" ({digest[:20]}… against {known[:20]}…): publish it under a new version"
        )
        return Unresolved(reason="VersionReused", message=message)
    artifact = next(item for item in record.artifacts if item.role is ArtifactRole.MODEL)
    return make_revision(
        deployment=metadata["name"],
        version=spec.version,
        digest=digest,
        # As the user wrote it: what the models would add or leave out is no new revision.
        template=snapshot.body["spec"]["workload"]["template"],
        port=spec.port,
        environment={
            "MODEL_NAME": spec.model,
            "MODEL_VERSION": spec.version,
            "MODEL_URI": artifact.uri,
            "MODEL_DIGEST": artifact.digest,
        },
    )


def _known_digest(
    version: str, status: ModelDeploymentStatus, workloads: Mapping[str, WorkloadState]
) -> str | None:
    entries: Iterable[Any] = (
        *filter(None, (status.stable, status.candidate, status.previous)),
        *(state.revision for state in workloads.values()),
        *status.rejected_revisions,
        *status.history,
    )
    return next((entry.digest for entry in entries if entry.version == version and entry.digest), None)


def _ours(body: Body | None, metadata: Mapping[str, Any]) -> bool:
    """Whether a child is ours; one that lost its owner reference is known by its label, and gets it back."""
    if body is None or labels.owned_by(body, metadata["uid"]):
        return body is not None
    found = body["metadata"]
    orphan = not found.get("ownerReferences")
    marked = (found.get("annotations") or {}).keys() & {virtualservice.STEP_ANNOTATION, labels.STABLE}
    return orphan and bool(marked) and (found.get("labels") or {}).get(labels.MANAGED_BY) == "modelramp"


def _apex(body: Body | None, metadata: Mapping[str, Any]) -> ApexState | None:
    if body is None:
        return None
    stable = (body["metadata"].get("annotations") or {}).get(labels.STABLE)
    return ApexState(stable_revision=stable, owned=labels.owned_by(body, metadata["uid"]))


def _route(body: Body | None, metadata: Mapping[str, Any]) -> RouteState | None:
    if body is None:
        return None
    return replace(virtualservice.read(body), owned=labels.owned_by(body, metadata["uid"]))


def _conflict(snapshot: Snapshot) -> tuple[str | None, frozenset[str]]:
    """What of the route is somebody else's (its name, a host), and the hosts that must be left to others."""
    metadata = snapshot.body["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    for kind, body in (("VirtualService", snapshot.route), ("Service", snapshot.apex)):
        if body is not None and not _ours(body, metadata):
            message = f"{kind} {name} is not ours: remove it, or give the ModelDeployment another name"
            return message, frozenset()
    own, taken, first = virtualservice.wanted_hosts(snapshot.body), set(), None
    route = snapshot.route
    for rival in snapshot.rivals:
        if route is not None and _is_older_of_ours(route, rival):
            # Two of ours that began at once: the younger one gives way.
            continue
        for _, host in sorted(own & virtualservice.hosts(rival)):
            taken.add(host)
            other = f"{rival['metadata']['namespace']}/{rival['metadata']['name']}"
            first = first or (
                f"host {host} is already routed by VirtualService {other}:"
                " remove it there, or choose another host"
            )
    return first, frozenset(taken)


def _is_older_of_ours(route: Body, rival: Body) -> bool:
    """Whether the rival is another ModelDeployment's route, and made after ours."""
    managed = (rival["metadata"].get("labels") or {}).get(labels.MANAGED_BY) == "modelramp"
    ours, theirs = (
        (body["metadata"].get("creationTimestamp", ""), body["metadata"]["uid"]) for body in (route, rival)
    )
    return managed and ours < theirs


def _request(metadata: Mapping[str, Any], status: ModelDeploymentStatus) -> Request | None:
    annotations = metadata.get("annotations") or {}
    text = annotations.get(REQUEST)
    if not text:
        return None
    action, _, identifier = text.partition("/")
    # Without an id the whole text is the id, so that it is answered once and not for ever. Status has room
    # for so much; what is compared must be what was written.
    action, identifier = action[:63], (identifier or text)[:253]
    if status.last_request is not None and status.last_request.id == identifier:
        return None
    return Request(
        action=action,
        id=identifier,
        by=annotations.get(REQUESTED_BY, "")[:253],
        reason=annotations.get(REQUEST_REASON, "")[:512],
        to=annotations.get(REQUEST_TO, "")[:253],
        override=annotations.get(REQUEST_OVERRIDE) == "true",
    )


def status_written(metadata: Mapping[str, Any]) -> datetime | None:
    """When we last wrote status, by the API server's own record; None: never, or it is not kept."""
    times = [
        parse_time(entry["time"])
        for entry in metadata.get("managedFields") or []
        if entry.get("manager") == virtualservice.MANAGER and entry.get("subresource") == "status"
    ]
    return max(times, default=None)
