"""The API server's rules that FakeCluster keeps; tests/e2e/test_kube_client.py shows them on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelramp.kube.errors import Fenced, FieldConflict, Missing, Refused, Unavailable
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE
from support.fakecluster import FakeCluster
from support.faults import Crash, Fault, Write

if TYPE_CHECKING:
    from modelramp.kube.kinds import Kind
    from modelramp.kube.port import Cluster


def body(**parts: dict[str, Any]) -> dict[str, Any]:
    """A ModelDeployment `ml/fraud` with these parts; `metadata` is merged."""
    metadata = {"name": "fraud", "namespace": "ml", **parts.pop("metadata", {})}
    return {"apiVersion": "modelramp.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata, **parts}


async def test_it_is_a_cluster() -> None:
    """FakeCluster fits the port (checked by mypy), and is empty at first."""
    cluster: Cluster = FakeCluster()
    assert await cluster.list(MODEL_DEPLOYMENT) == []


async def test_apply_creates_then_does_nothing_then_updates() -> None:
    """Creation gives uid and generation 1; the same again writes nothing; a new spec is generation 2."""
    cluster = FakeCluster()
    first = await cluster.apply(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}), manager="modelramp")
    again = await cluster.apply(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}), manager="modelramp")
    second = await cluster.apply(MODEL_DEPLOYMENT, body(spec={"version": "1.1.0"}), manager="modelramp")
    assert first["metadata"]["uid"]
    assert again == first
    assert [item["metadata"]["generation"] for item in (first, second)] == [1, 2]
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    assert [write.changed for write in cluster.writes] == [True, False, True]


async def test_a_stale_resource_version_or_uid_is_fenced() -> None:
    """A write decided on an older object, or on another object of that name, is refused with Fenced."""
    cluster = FakeCluster()
    old = cluster.place(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}))
    cluster.edit(MODEL_DEPLOYMENT, "ml", "fraud", lambda item: item["spec"].update(version="1.1.0"))
    stale = {"resourceVersion": old["metadata"]["resourceVersion"]}
    with pytest.raises(Fenced, match="resourceVersion"):
        await cluster.apply(
            MODEL_DEPLOYMENT, body(metadata=stale, status={"phase": "x"}), manager="m", subresource="status"
        )
    with pytest.raises(Fenced, match="uid"):
        await cluster.apply(MODEL_DEPLOYMENT, body(metadata={"uid": "other"}, spec={"a": 1}), manager="m")
    assert cluster.get(MODEL_DEPLOYMENT, "ml", "nobody") is None
    with pytest.raises(Fenced, match="uid"):
        await cluster.delete(MODEL_DEPLOYMENT, "ml", "fraud", uid="other")
    uid = old["metadata"]["uid"]
    with pytest.raises(Fenced, match="resourceVersion"):
        await cluster.delete(
            MODEL_DEPLOYMENT, "ml", "fraud", uid=uid, resource_version=stale["resourceVersion"]
        )


async def test_status_and_spec_are_written_apart() -> None:
    """An apply of the object leaves status alone, one of status leaves the rest and the generation alone."""
    cluster = FakeCluster()
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={"a": 1}, status={"phase": "lost"}), manager="m")
    done = await cluster.apply(
        MODEL_DEPLOYMENT, body(spec={"a": 9}, status={"phase": "Healthy"}), manager="m", subresource="status"
    )
    assert (done["spec"], done["status"], done["metadata"]["generation"]) == (
        {"a": 1},
        {"phase": "Healthy"},
        1,
    )
    after = await cluster.apply(MODEL_DEPLOYMENT, body(spec={"a": 2}), manager="m")
    assert after["status"] == {"phase": "Healthy"}
    with pytest.raises(Missing):
        await cluster.apply(
            MODEL_DEPLOYMENT, body(metadata={"name": "none"}, status={}), manager="m", subresource="status"
        )


async def test_a_field_that_its_manager_drops_is_removed() -> None:
    """What a manager no longer applies goes, with the maps left without an owner, and stays where shared."""
    cluster = FakeCluster()
    rollback = {"reason": "ErrorRate", "toRevision": "a"}
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={"rollback": rollback}), manager="modelramp-rollback")
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={"rollback": {"toRevision": "a"}}), manager="git")
    shared = await cluster.apply(MODEL_DEPLOYMENT, body(), manager="modelramp-rollback")
    assert shared["spec"] == {"rollback": {"toRevision": "a"}}
    alone = await cluster.apply(MODEL_DEPLOYMENT, body(), manager="git")
    assert "rollback" not in alone["spec"]


async def test_an_apply_without_force_names_who_owns_the_field() -> None:
    """Another value for a field of `git` is a conflict that names `git`; force changes the owner."""
    cluster = FakeCluster()
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}), manager="git")
    other = body(spec={"version": "2.0.0"})
    with pytest.raises(FieldConflict) as caught:
        await cluster.apply(MODEL_DEPLOYMENT, other, manager="modelramp", force=False)
    assert caught.value.managers == ("git",)
    await cluster.apply(MODEL_DEPLOYMENT, other, manager="modelramp")
    await cluster.apply(MODEL_DEPLOYMENT, other, manager="modelramp", force=False)
    with pytest.raises(FieldConflict):
        await cluster.apply(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}), manager="git", force=False)


async def test_an_edit_by_hand_takes_the_field_over() -> None:
    """Kubectl edit of an applied field makes the editor its owner: the apply without force then conflicts."""
    cluster = FakeCluster()
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={"a": 1, "b": 1}), manager="modelramp")
    cluster.edit(MODEL_DEPLOYMENT, "ml", "fraud", lambda item: item["spec"].update(a=2))
    with pytest.raises(FieldConflict):
        await cluster.apply(MODEL_DEPLOYMENT, body(spec={"a": 1, "b": 1}), manager="modelramp", force=False)


async def test_replicas_and_template_of_two_managers_live_side_by_side() -> None:
    """The managers of template and replicas never drop each other's fields; replicas default to 1."""
    cluster = FakeCluster()
    child = {"metadata": {"name": "fraud-1", "namespace": "ml"}}
    created = await cluster.apply(DEPLOYMENT, {**child, "spec": {"template": {"a": 1}}}, manager="modelramp")
    assert created["spec"]["replicas"] == 1
    await cluster.apply(DEPLOYMENT, {**child, "spec": {"replicas": 3}}, manager="modelramp-scale")
    after = await cluster.apply(DEPLOYMENT, {**child, "spec": {"template": {"a": 1}}}, manager="modelramp")
    assert after["spec"] == {"template": {"a": 1}, "replicas": 3}
    managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert managers == {"modelramp", "modelramp-scale"}


async def test_owner_references_merge_by_uid_and_dependants_go_with_the_owner() -> None:
    """Two managers' owner references live side by side; deletion takes dependants along, unless orphaned."""
    cluster = FakeCluster()
    owner = cluster.place(MODEL_DEPLOYMENT, body(spec={}))
    reference = {"uid": owner["metadata"]["uid"], "kind": "ModelDeployment", "name": "fraud"}
    for name, manager, uid in (
        ("s1", "a", reference["uid"]),
        ("s1", "b", "stranger"),
        ("s2", "a", "stranger"),
    ):
        child = {"name": name, "namespace": "ml", "ownerReferences": [{**reference, "uid": uid}]}
        await cluster.apply(SERVICE, {"metadata": child}, manager=manager)
    both = cluster.get(SERVICE, "ml", "s1")
    assert both
    assert len(both["metadata"]["ownerReferences"]) == 2
    await cluster.delete(MODEL_DEPLOYMENT, "ml", "fraud", uid=owner["metadata"]["uid"])
    assert [item["metadata"]["name"] for item in cluster.all(SERVICE)] == ["s2"]
    cluster.place(MODEL_DEPLOYMENT, body(spec={}))
    cluster.remove(MODEL_DEPLOYMENT, "ml", "fraud", orphan=True)
    assert len(cluster.all(SERVICE)) == 1


async def test_a_finalizer_keeps_an_object_until_it_is_taken_off() -> None:
    """Deletion marks the object; the apply that drops the finalizer lets it go."""
    cluster = FakeCluster()
    held = body(metadata={"finalizers": ["modelramp.dev/traffic"]}, spec={})
    made = await cluster.apply(MODEL_DEPLOYMENT, held, manager="modelramp")
    await cluster.delete(MODEL_DEPLOYMENT, "ml", "fraud", uid=made["metadata"]["uid"])
    marked = cluster.get(MODEL_DEPLOYMENT, "ml", "fraud")
    assert marked
    assert marked["metadata"]["deletionTimestamp"]
    await cluster.apply(MODEL_DEPLOYMENT, body(), manager="modelramp")
    assert cluster.get(MODEL_DEPLOYMENT, "ml", "fraud") is None


async def test_json_patch_is_all_or_nothing() -> None:
    """A failed test, or a path that is not there, is Fenced, and nothing of the patch is done."""
    cluster = FakeCluster()
    cluster.place(MODEL_DEPLOYMENT, body(spec={"rollback": {"reason": "ErrorRate"}}))
    remove = {"op": "remove", "path": "/spec/rollback"}
    for wrong in (
        {"op": "test", "path": "/spec/rollback/reason", "value": "Latency"},
        {"op": "remove", "path": "/spec/nothing"},
    ):
        with pytest.raises(Fenced):
            await cluster.json_patch(MODEL_DEPLOYMENT, "ml", "fraud", [remove, wrong])
    right = {"op": "test", "path": "/spec/rollback/reason", "value": "ErrorRate"}
    done = await cluster.json_patch(MODEL_DEPLOYMENT, "ml", "fraud", [right, remove])
    assert done["spec"] == {}
    with pytest.raises(Missing):
        await cluster.json_patch(MODEL_DEPLOYMENT, "ml", "other", [remove])


async def test_watch_and_list_see_what_the_selector_lets_through() -> None:
    """A watch hears changes of matching objects only; losing the label looks like deletion."""
    cluster = FakeCluster()
    seen: list[tuple[str, str]] = []

    def hear(event: str, kind: Kind, item: dict[str, Any]) -> None:
        seen.append((event, f"{kind}/{item['metadata']['name']}"))

    cluster.watch(hear)
    for name, labels in (("plain", {}), ("ours", {"modelramp.dev/deployment": "fraud"})):
        cluster.place(DEPLOYMENT, {"metadata": {"name": name, "namespace": "ml", "labels": labels}})
    cluster.edit(
        DEPLOYMENT, "ml", "ours", lambda item: item.update(status={"readyReplicas": 1}), subresource="status"
    )
    cluster.edit(DEPLOYMENT, "ml", "ours", lambda item: item["metadata"].pop("labels"))
    assert seen == [(event, "Deployment/ours") for event in ("ADDED", "MODIFIED", "DELETED")]
    assert await cluster.list(DEPLOYMENT) == []
    assert len(cluster.all(DEPLOYMENT)) == 2


async def test_what_is_handed_out_is_a_copy() -> None:
    """Changing an answer, or what a policy or a test got, does not change the cluster."""
    cluster = FakeCluster()
    made = await cluster.apply(MODEL_DEPLOYMENT, body(spec={"a": {"b": 1}}), manager="m")
    made["spec"]["a"]["b"] = 2
    (listed,) = await cluster.list(MODEL_DEPLOYMENT)
    assert listed["spec"]["a"]["b"] == 1


async def test_policies_deny() -> None:
    """A policy sees who writes what, and its Refused reaches the caller with nothing written."""
    cluster = FakeCluster()

    def guard(write: Write, _old: dict[str, Any] | None, new: dict[str, Any]) -> None:
        if write.manager == "modelramp-rollback" and "rollback" in new["spec"]:
            raise Refused(403, "Forbidden", "policy 'guard' denied")

    cluster.policies.append(guard)
    cluster.place(MODEL_DEPLOYMENT, body(spec={"version": "1.0.0"}))
    with pytest.raises(Refused, match="guard"):
        await cluster.apply(
            MODEL_DEPLOYMENT, body(spec={"rollback": {"reason": "x"}}), manager="modelramp-rollback"
        )
    assert [write.changed for write in cluster.writes] == [False]


@pytest.mark.parametrize(
    ("fault", "error", "written"),
    [
        (Fault.CRASH_BEFORE, Crash, False),
        (Fault.CRASH_AFTER, Crash, True),
        (Fault.REFUSE, Refused, False),
        (Fault.FENCE, Fenced, False),
        (Fault.UNAVAILABLE, Unavailable, False),
        (Fault.LOSE_ANSWER, Unavailable, True),
    ],
)
async def test_faults_strike_the_chosen_write_once(
    fault: Fault, error: type[BaseException], *, written: bool
) -> None:
    """The second write to a VirtualService goes wrong in the chosen way; those before and after it do not."""
    cluster = FakeCluster()
    cluster.faults.inject(fault, skip=1, matching=lambda write: write.kind == VIRTUAL_SERVICE)
    route = {"metadata": {"name": "fraud", "namespace": "ml"}}
    await cluster.apply(MODEL_DEPLOYMENT, body(spec={}), manager="m")
    await cluster.apply(VIRTUAL_SERVICE, {**route, "spec": {"weight": 5}}, manager="m")
    with pytest.raises(error):
        await cluster.apply(VIRTUAL_SERVICE, {**route, "spec": {"weight": 20}}, manager="m")
    now = cluster.get(VIRTUAL_SERVICE, "ml", "fraud")
    assert now
    assert now["spec"]["weight"] == (20 if written else 5)
    await cluster.apply(VIRTUAL_SERVICE, {**route, "spec": {"weight": 50}}, manager="m")
