"""All writes of a reconciliation, in the plan's order, each left out when it would change nothing.

A write to the ModelDeployment or to the route carries the resourceVersion and uid of what was decided on; a
later write of the same pass uses those of the former's answer. Answers go into the store at once.

The route's own fence does not show that the ModelDeployment was current: a process whose watch of it lags may
have the newest route beside an old status. So nothing that serves is changed (route, apex, fewer replicas, a
deletion, an owner that goes) before the ModelDeployment was found to be as it was decided on: by a write to
it in the same pass, else by a read. Steps write status first and rollbacks `spec.rollback`: only repairs,
reverts and what is let go cost that read. A read, because a policy that refuses writes must not keep traffic
from going back.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from modelramp.controller.denied import Denied, denied
from modelramp.controller.events import event_body
from modelramp.controller.ownership import disowning_patch, finalizer_patch
from modelramp.controller.stored import read_status, status_to_write
from modelramp.kube.errors import Fenced, FieldConflict, Missing, Refused, Unavailable
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE, Kind
from modelramp.rollout.facts import APEX, FINALIZER_WRITE, ROUTE
from modelramp.rollout.plan import (
    ClearRollback,
    CreateRevision,
    CreateService,
    DeleteRevision,
    Effect,
    Notice,
    Plan,
    Release,
    RemoveRoute,
    Scale,
    SetFinalizer,
    WriteApex,
    WriteRollback,
    WriteRoute,
    WriteStatus,
    key_of,
)
from modelramp.rollout.present import stamped
from modelramp.traffic import virtualservice
from modelramp.workloads import labels, template

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from modelramp.api.status import ModelDeploymentStatus
    from modelramp.controller.snapshot import Body, Snapshot
    from modelramp.controller.store import Key
    from modelramp.kube.port import Cluster
    from modelramp.rollout.facts import Refusal
    from modelramp.rollout.revision import Revision

MANAGER = virtualservice.MANAGER
ROLLBACK_MANAGER = "modelramp-rollback"
SCALE_MANAGER = "modelramp-scale"
# What is told only once the write that it speaks of was made, by reason of the event.
AFTER = {"RouteRepaired": ROUTE, "DeletionForced": FINALIZER_WRITE, "Orphaned": FINALIZER_WRITE}

_log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Where the answers of writes go."""

    def put(self, kind: Kind, body: dict[str, Any]) -> set[Key]:
        """Takes an object in; gives the ModelDeployments that it concerns."""
        ...


class Pass:
    """The writes of one pass over one ModelDeployment."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        sink: Sink,
        snapshot: Snapshot,
        status: ModelDeploymentStatus,
        now: datetime,
        clock: Callable[[], datetime],
        refusals: Mapping[str, Refusal] | None = None,
    ) -> None:
        self._cluster = cluster
        self._sink = sink
        self._snapshot = snapshot
        self._status: ModelDeploymentStatus | None = status
        self._now = now
        self._clock = clock
        self._body: Body = snapshot.body
        self._name: str = snapshot.body["metadata"]["name"]
        self._namespace: str = snapshot.body["metadata"]["namespace"]
        self._generation: int = snapshot.body["metadata"].get("generation", 0)
        self._refusals = refusals or {}
        self._confirmed = False
        self._remembered = False
        self.refused: list[Denied] = []
        self.succeeded: set[str] = set()
        self.changed = False
        self.concerned: set[Key] = set()

    async def run(self, plan: Plan) -> None:
        """Makes the writes of a plan.

        Raises:
            Fenced: something was not as it was when the plan was made; look again.
            Unavailable: the API server gave no useful answer.
        """
        told = 0
        try:
            for effect in plan.effects:
                if isinstance(effect, WriteStatus):
                    await self._write_status(effect)
                elif isinstance(effect, Notice):
                    await self._tell(effect)
                    told += 1
                else:
                    await self._guarded(effect)
        except (Fenced, Unavailable):
            if self._remembered:
                # Status says it by now, so no later pass has it to tell.
                notices = [effect for effect in plan.effects if isinstance(effect, Notice)]
                with suppress(Unavailable):
                    for notice in notices[told:]:
                        await self._tell(notice)
            raise

    async def _one(self, effect: Effect) -> None:  # noqa: C901 - one for each effect
        match effect:
            case WriteRollback():
                await self._write_rollback(effect)
            case ClearRollback():
                await self._clear_rollback()
            case WriteRoute():
                await self._write_route(effect)
            case WriteApex():
                await self._write_apex(effect)
            case CreateRevision():
                await self._create(effect)
            case CreateService():
                await self._create_service(effect.revision)
            case Scale():
                await self._scale(effect, self._deployment(effect.revision.service))
            case DeleteRevision():
                await self._delete(effect)
            case Release():
                await self._release(effect.revision)
            case RemoveRoute():
                await self._remove_route()
            case SetFinalizer():
                await self._set_finalizer(effect)

    def _is_refused(self, what: str) -> bool:
        known = self._refusals.get(what)
        waits = known is not None and self._now < known.again
        return waits or any(denied.what == what for denied in self.refused)

    async def _tell(self, notice: Notice) -> None:
        if notice.reason in AFTER and self._is_refused(AFTER[notice.reason]):
            return
        try:
            await self._cluster.create_event(event_body(self._body, notice, now=self._now))
        except (Refused, Missing) as refusal:
            # An event that cannot be told must not keep anything from being done.
            _log.warning("event refused", reason=notice.reason, cause=str(refusal))

    async def _guarded(self, effect: Effect) -> None:
        """A write whose refusal does not stop the others: it becomes a condition, and is tried again."""
        what = key_of(effect)
        if self._is_refused(what):
            return
        if what == ROUTE and self._snapshot.route is None and self._is_refused(APEX):
            # Somebody else's Service has the name: its traffic is not ours to take.
            return
        try:
            await self._one(effect)
        except (FieldConflict, Refused, Missing) as refusal:
            self.refused.append(denied(what, refusal, name=f"{self._namespace}/{self._name}"))
        else:
            self.succeeded.add(what)

    # -- the ModelDeployment -------------------------------------------------------------------------------

    def _fenced(self, **content: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        metadata = self._body["metadata"]
        return {
            "apiVersion": MODEL_DEPLOYMENT.api_version,
            "kind": MODEL_DEPLOYMENT.kind,
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            **content,
        }

    def _took(self, answer: dict[str, Any]) -> None:
        self._keep(MODEL_DEPLOYMENT, answer)
        self._body = answer
        self._status = None
        self._confirmed = True

    async def _confirm(self) -> None:
        """Returns when the ModelDeployment is known to be the one that was decided on.

        Raises:
            Fenced: it is not; the store has the present one now.
        """
        if self._confirmed:
            return
        decided = self._body["metadata"]
        try:
            live = await self._cluster.read(MODEL_DEPLOYMENT, self._namespace, self._name)
        except Missing as error:
            raise Fenced(f"ModelDeployment {self._namespace}/{self._name} is gone") from error
        self.concerned |= self._sink.put(MODEL_DEPLOYMENT, live)
        for field in ("uid", "resourceVersion"):
            if live["metadata"][field] != decided[field]:
                raise Fenced(
                    f"ModelDeployment {self._namespace}/{self._name}: {field} is {live['metadata'][field]},"
                    f" not {decided[field]}"
                )
        self._confirmed = True

    def _keep(self, kind: Kind, answer: dict[str, Any]) -> None:
        """The answer of a write that changed something: what follows from it is for the next pass."""
        self.concerned |= self._sink.put(kind, answer)
        self.changed = True

    async def _write_rollback(self, effect: WriteRollback) -> None:
        body = self._fenced(spec={"rollback": effect.rollback.wire()})
        # Without force: who else writes it is told, not fought.
        self._took(await self._cluster.apply(MODEL_DEPLOYMENT, body, manager=ROLLBACK_MANAGER, force=False))
        self._generation = self._body["metadata"]["generation"]

    async def _clear_rollback(self) -> None:
        metadata = self._body["metadata"]
        operations = [
            *(
                {"op": "test", "path": f"/metadata/{name}", "value": metadata[name]}
                for name in ("uid", "resourceVersion")
            ),
            {"op": "remove", "path": "/spec/rollback"},
        ]
        self._took(await self._cluster.json_patch(MODEL_DEPLOYMENT, self._namespace, self._name, operations))
        self._generation = self._body["metadata"]["generation"]

    async def _set_finalizer(self, effect: SetFinalizer) -> None:
        operations = finalizer_patch(self._body, present=effect.present)
        if operations:
            self._took(
                await self._cluster.json_patch(MODEL_DEPLOYMENT, self._namespace, self._name, operations)
            )

    async def _write_status(self, effect: WriteStatus) -> None:
        status = stamped(effect.status, self._generation)
        present = self._status or read_status(self._body)
        if status == present and self._body.get("status"):
            return
        body = self._fenced(status=status_to_write(self._body, status))
        self._took(await self._cluster.apply(MODEL_DEPLOYMENT, body, manager=MANAGER, subresource="status"))
        self._remembered = True

    # -- traffic -------------------------------------------------------------------------------------------

    def _owned(self, body: dict[str, Any], live: Body | None, *, owned: bool = True) -> dict[str, Any]:
        metadata = {**body["metadata"]}
        if owned:
            metadata["ownerReferences"] = [labels.owner(self._body)]
        if live is not None:
            found = live["metadata"]
            metadata |= {"uid": found["uid"], "resourceVersion": found["resourceVersion"]}
        return {**body, "metadata": metadata}

    async def _apply_owned(self, kind: Kind, body: dict[str, Any], live: Body | None, *, owned: bool) -> None:
        """`owned=False`: what is left out of an apply goes, our owner reference too."""
        wanted = self._owned(body, live, owned=owned)
        settled = owned or live is None or not labels.owned_by(live, self._body["metadata"]["uid"])
        if live is not None and settled and covers(live, {key: wanted[key] for key in ("metadata", "spec")}):
            return
        await self._confirm()
        # What is made anew must not take over a namesake.
        answer = await self._cluster.apply(kind, wanted, manager=MANAGER, force=live is not None)
        self._keep(kind, answer)

    async def _write_route(self, effect: WriteRoute) -> None:
        route = effect.route
        if route.mark.time == self._now:
            # A new acknowledgement is that of the write itself: what came before it took its time.
            route = replace(route, mark=replace(route.mark, time=self._clock()))
        body = virtualservice.render(route, namespace=self._namespace, name=self._name)
        body["metadata"]["labels"] = labels.common(self._name)
        await self._apply_owned(VIRTUAL_SERVICE, body, self._snapshot.route, owned=effect.owned)

    async def _remove_route(self) -> None:
        live = self._snapshot.route
        if live is not None:
            await self._remove(VIRTUAL_SERVICE, live)

    async def _write_apex(self, effect: WriteApex) -> None:
        body = template.render_apex(effect, namespace=self._namespace, deployment=self._name)
        await self._apply_owned(SERVICE, body, self._snapshot.apex, owned=effect.owned)

    # -- workloads -----------------------------------------------------------------------------------------

    def _deployment(self, name: str) -> Body | None:
        return next((item for item in self._snapshot.deployments if item["metadata"]["name"] == name), None)

    async def _create(self, effect: CreateRevision) -> None:
        """Service first: whoever sees the Deployment may count on the Service."""
        revision = effect.revision
        await self._create_service(revision)
        rendered = template.render_deployment(effect, namespace=self._namespace, deployment=self._name)
        made = await self._cluster.apply(
            DEPLOYMENT, self._owned(rendered, None), manager=MANAGER, force=False
        )
        self._keep(DEPLOYMENT, made)
        if made["spec"].get("replicas") != effect.replicas:
            await self._scale(Scale(revision=revision, replicas=effect.replicas), made)

    async def _create_service(self, revision: Revision) -> None:
        rendered = template.render_service(revision, namespace=self._namespace, deployment=self._name)
        await self._cluster.apply(SERVICE, self._owned(rendered, None), manager=MANAGER, force=False)

    async def _release(self, revision: Revision) -> None:
        """The Deployment last: it tells that both were. What is gone is not made again."""
        await self._confirm()
        namespace, name, owner = self._namespace, revision.service, self._body["metadata"]["uid"]
        with suppress(Missing):
            # Services of revisions are not watched.
            service = await self._cluster.read(SERVICE, namespace, name)
            operations = disowning_patch(service, owner)
            if operations:
                await self._cluster.json_patch(SERVICE, namespace, name, operations)
        live = self._deployment(name)
        operations = disowning_patch(live, owner) if live is not None else []
        if operations:
            self._keep(DEPLOYMENT, await self._cluster.json_patch(DEPLOYMENT, namespace, name, operations))

    async def _scale(self, effect: Scale, live: Body | None) -> None:
        body = template.render_scale(effect, namespace=self._namespace)
        if live is not None:
            found = live["metadata"]
            body["metadata"]["uid"] = found["uid"]
            if effect.replicas < live["spec"].get("replicas", 1):
                # More pods hurt nobody and must not wait; fewer may be taken from what serves by now.
                await self._confirm()
                body["metadata"]["resourceVersion"] = found["resourceVersion"]
        self._keep(DEPLOYMENT, await self._cluster.apply(DEPLOYMENT, body, manager=SCALE_MANAGER))

    async def _delete(self, effect: DeleteRevision) -> None:
        await self._confirm()
        name = effect.revision.service
        # Services of revisions are not watched: their EndpointSlices know the uid.
        for item in self._snapshot.slices:
            owners = item["metadata"].get("ownerReferences") or []
            service = next((ref for ref in owners if ref["kind"] == "Service" and ref["name"] == name), None)
            if service is not None:
                await self._cluster.delete(SERVICE, self._namespace, name, uid=service["uid"])
                break
        live = self._deployment(name)
        if live is not None:
            await self._remove(DEPLOYMENT, live)

    async def _remove(self, kind: Kind, live: Body) -> None:
        """Deletes an object as it was seen."""
        await self._confirm()
        found = live["metadata"]
        await self._cluster.delete(
            kind,
            self._namespace,
            found["name"],
            uid=found["uid"],
            resource_version=found["resourceVersion"],
        )


def covers(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an object already says all that is wanted: lists to the letter, objects field by field."""
    for key, value in wanted.items():
        if isinstance(value, Mapping):
            if not isinstance(live.get(key), Mapping) or not covers(live[key], value):
                return False
        elif live.get(key) != value:
            return False
    return True
