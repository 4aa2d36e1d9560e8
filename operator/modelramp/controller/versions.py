"""ModelVersions: what the operator says of a record, written once.

The digest is what rejections, approvals and pods name a version by; here people can read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelramp.api.conditions import Condition, ConditionStatus
from modelramp.api.modelversion import ModelVersionSpec, ModelVersionStatus
from modelramp.kube.kinds import MODEL_VERSION
from modelramp.registry.digest import record_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from modelramp.controller.store import Key, Store
    from modelramp.kube.port import Cluster

MANAGER = "modelramp"


def decide(body: Mapping[str, Any], *, now: datetime) -> ModelVersionStatus:
    """The status of a ModelVersion. Pure."""
    try:
        known = ModelVersionStatus.model_validate(body.get("status") or {})
    except ValidationError:
        known = ModelVersionStatus()
    generation = body["metadata"].get("generation", 0)
    digest = None
    try:
        digest = record_digest(ModelVersionSpec.model_validate(body["spec"]))
        said = (ConditionStatus.TRUE, "Recorded", "the record is complete enough to be deployed")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in ("spec", *first["loc"]))
        said = (ConditionStatus.FALSE, "InvalidSpec", f"{path}: {first['msg']}")
    status, reason, message = said
    before = next((item for item in known.conditions if item.type == "Ready"), None)
    ready = Condition(
        type="Ready",
        status=status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and before.status is status else now,
        reason=reason,
        message=message,
    )
    update = {"observed_generation": generation, "digest": digest, "conditions": [ready]}
    return known.model_copy(update=update)


class VersionRecorder:
    """Keeps the status of ModelVersions true.

    Args:
        store: what was seen last; takes the answers of writes.
        cluster: where writes go.
        clock: the time now, in UTC.
    """

    def __init__(self, *, store: Store, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def handle(self, key: Key) -> None:
        """One pass over one ModelVersion."""
        body = self._store.get(MODEL_VERSION, *key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return
        status = decide(body, now=self._clock()).wire()
        if status == body.get("status"):
            return
        metadata = {name: body["metadata"][name] for name in ("namespace", "name", "uid", "resourceVersion")}
        wanted = {
            "apiVersion": MODEL_VERSION.api_version,
            "kind": MODEL_VERSION.kind,
            "metadata": metadata,
            "status": status,
        }
        answer = await self._cluster.apply(MODEL_VERSION, wanted, manager=MANAGER, subresource="status")
        self._store.put(MODEL_VERSION, answer)
