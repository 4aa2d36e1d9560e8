"""From objects to facts: reads what was seen, decides nothing, does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelramp.api.base import parse_time
from modelramp.api.modeldeployment import ModelDeploymentSpec, Rollback
from modelramp.api.modelversion import ArtifactRole, ModelVersionSpec
from modelramp.controller.pods import workload_state
from modelramp.controller.stored import read_status
from modelramp.registry.digest import record_digest
from modelramp.rollout.facts import ApexState, Facts, Refusal, Request, RouteState, Unresolved, WorkloadState
from modelramp.rollout.revision import Revision, make_revision
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


def observe(
    snapshot: Snapshot,
    *,
    now: datetime,
    evidence: Evidence | None = None,
    lag: float = 60.0,
    queries: Mapping[str, str] | None = None,
    refusals: Mapping[str, Refusal] | None = None,
) -> Facts:
    """The facts about one ModelDeployment."""
    body = snapshot.body
    metadata, raw = body["metadata"], body.get("spec") or {}
    status = read_status(body)
    workloads = {
        state.revision.name: state
        for deployment in snapshot.deployments
        if labels.owned_by(deployment, metadata["uid"])
        and (state := workload_state(deployment, snapshot.slices, snapshot.pods)) is not None
    }
    spec, problem = _spec(body)
    wanted = problem or _wanted(snapshot, spec, status, workloads)
    route = snapshot.route if _ours(snapshot.route, metadata) else None
    apex = snapshot.apex if _ours(snapshot.apex, metadata) else None
    return Facts(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata.get("generation", 0),
        now=now,
        wanted=wanted,
        spec=spec,
        status=status,
        rollback=_rollback(raw),
        deleting="deletionTimestamp" in metadata,
        workloads=workloads,
        apex=_apex(apex),
        route=_route(route),
        conflict=_conflict(snapshot, spec),
        evidence=evidence,
        lag=lag,
        queries=queries or {},
        request=_request(metadata, status),
        status_written=_status_written(metadata),
        refusals=refusals or {},
    )


def _spec(body: Body) -> tuple[ModelDeploymentSpec | None, Unresolved | None]:
    try:
        return ModelDeploymentSpec.model_validate(body.get("spec") or {}), None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in ("spec", *first["loc"]))
        return None, Unresolved(reason="InvalidSpec", message=f"{path}: {first['msg']}")


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
    return body is not None and labels.owned_by(body, metadata["uid"])


def _apex(body: Body | None) -> ApexState | None:
    if body is None:
        return None
    return ApexState(stable_revision=(body["metadata"].get("annotations") or {}).get(labels.STABLE))


def _route(body: Body | None) -> RouteState | None:
    return virtualservice.read(body) if body is not None else None


def _conflict(snapshot: Snapshot, spec: ModelDeploymentSpec | None) -> str | None:
    """Why the route cannot be ours: its name or one of its hosts is taken."""
    metadata = snapshot.body["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    if snapshot.route is not None and not _ours(snapshot.route, metadata):
        return f"VirtualService {name} is not ours: remove it, or give the ModelDeployment another name"
    if snapshot.apex is not None and not _ours(snapshot.apex, metadata):
        return f"Service {name} is not ours: remove it, or give the ModelDeployment another name"
    if spec is None:
        return None
    istio = spec.traffic.istio
    apex = f"{metadata['name']}.{metadata['namespace']}.svc.cluster.local"
    own = virtualservice.hosts(
        {
            "metadata": metadata,
            "spec": {"hosts": [apex, *(istio.hosts or ())], "gateways": ["mesh", *(istio.gateways or ())]},
        }
    )
    for rival in snapshot.rivals:
        shared = sorted(own & virtualservice.hosts(rival))
        if shared:
            other = f"{rival['metadata']['namespace']}/{rival['metadata']['name']}"
            return (
                f"host {shared[0][1]} is already routed by VirtualService {other}:"
                " remove it there, or choose another host"
            )
    return None


def _request(metadata: Mapping[str, Any], status: ModelDeploymentStatus) -> Request | None:
    annotations = metadata.get("annotations") or {}
    text = annotations.get(REQUEST)
    if not text:
        return None
    action, _, identifier = text.partition("/")
    # Without an id the whole text is the id, so that it is answered once and not for ever.
    identifier = identifier or text
    if status.last_request is not None and status.last_request.id == identifier:
        return None
    return Request(
        action=action,
        id=identifier[:253],
        by=annotations.get(REQUESTED_BY, ""),
        reason=annotations.get(REQUEST_REASON, "")[:512],
        to=annotations.get(REQUEST_TO, "")[:253],
        override=annotations.get(REQUEST_OVERRIDE) == "true",
    )


def _status_written(metadata: Mapping[str, Any]) -> datetime | None:
    times = [
        parse_time(entry["time"])
        for entry in metadata.get("managedFields") or []
        if entry.get("manager") == virtualservice.MANAGER and entry.get("subresource") == "status"
    ]
    return max(times, default=None)
