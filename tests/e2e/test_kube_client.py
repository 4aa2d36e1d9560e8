"""The client on a real API server; and that the cluster in memory keeps the same rules, by the same tests."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from modelramp.kube import login
from modelramp.kube.client import Client
from modelramp.kube.errors import Fenced, FieldConflict, Missing, Refused, Unauthorized
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE
from support.api import deployment
from support.fakecluster import FakeCluster

if TYPE_CHECKING:
    from devcluster.cluster import Cluster
    from modelramp.kube.port import Cluster as Port

pytestmark = pytest.mark.cluster

ROLLBACK = {
    "rejectedRevision": "2.1.0-aaaaaaaa",
    "toRevision": "2.0.0-bbbbbbbb",
    "reason": "ErrorRate",
    "message": "error rate 30 % over 5 %",
    "time": "2026-11-21T08:00:00.000Z",
}


@pytest.fixture(params=["real", "memory"])
def port(request: pytest.FixtureRequest, client: Client) -> Port:
    """The real client, then the cluster in memory: what is asserted holds for both."""
    return client if request.param == "real" else FakeCluster()


@pytest.fixture
def body(namespace: str) -> dict[str, Any]:
    """A valid ModelDeployment that nobody has created yet."""
    found = deployment(f"fraud-{uuid.uuid4().hex[:8]}")
    found["metadata"]["namespace"] = namespace
    return found


def part(body: dict[str, Any], **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - values of a manifest
    """An apply of these parts only to the same object."""
    metadata = {name: body["metadata"][name] for name in ("name", "namespace")} | parts.pop("metadata", {})
    return {"metadata": metadata, **parts}


def place(body: dict[str, Any]) -> tuple[str, str]:
    """Namespace and name of an object."""
    return body["metadata"]["namespace"], body["metadata"]["name"]


async def test_apply_creates_changes_and_leaves_alone(port: Port, body: dict[str, Any]) -> None:
    """Creation, an apply that changes nothing (same resourceVersion), and a change (next generation)."""
    first = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    again = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    body["spec"]["version"] = "2.2.0"
    changed = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    assert (first["apiVersion"], first["kind"]) == ("modelramp.dev/v1alpha1", "ModelDeployment")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert int(changed["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    assert (first["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


async def test_a_write_decided_on_an_older_object_is_fenced(port: Port, body: dict[str, Any]) -> None:
    """A stale resourceVersion or another uid is Fenced, for the object and its status, and not confirmed."""
    old = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    body["spec"]["version"] = "2.2.0"
    new = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    stale = {"resourceVersion": old["metadata"]["resourceVersion"]}
    for subresource, parts in (
        ("status", {"status": {"phase": "Pending"}}),
        (None, {"spec": {"rollback": ROLLBACK}}),
    ):
        with pytest.raises(Fenced):
            await port.apply(
                MODEL_DEPLOYMENT,
                part(body, metadata=stale, **parts),
                manager="modelramp",
                subresource=subresource,
            )
    other = part(body, metadata={"uid": str(uuid.uuid4())}, spec={"rollback": ROLLBACK})
    with pytest.raises(Fenced):
        await port.apply(MODEL_DEPLOYMENT, other, manager="modelramp-rollback")
    assert await port.read(MODEL_DEPLOYMENT, *place(new)) == new
    fresh = {name: new["metadata"][name] for name in ("resourceVersion", "uid")}
    done = await port.apply(
        MODEL_DEPLOYMENT,
        part(body, metadata=fresh, spec={"rollback": ROLLBACK}),
        manager="modelramp-rollback",
        force=False,
    )
    assert done["spec"]["rollback"]["reason"] == "ErrorRate"


async def test_a_fenced_write_does_not_bring_a_deleted_object_back(port: Port, body: dict[str, Any]) -> None:
    """An apply with uid and resourceVersion of an object that is gone is Fenced, and creates none."""
    gone = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    metadata = gone["metadata"]
    await port.delete(MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    fence = {name: metadata[name] for name in ("uid", "resourceVersion")}
    with pytest.raises(Fenced):
        await port.apply(MODEL_DEPLOYMENT, {**body, "metadata": body["metadata"] | fence}, manager="git")
    with pytest.raises(Missing):
        await port.read(MODEL_DEPLOYMENT, *place(gone))
    with pytest.raises(Missing):
        await port.apply(
            MODEL_DEPLOYMENT,
            part(body, status={"phase": "Pending"}),
            manager="modelramp",
            subresource="status",
        )
    names = [item["metadata"]["name"] for item in await port.list(MODEL_DEPLOYMENT)]
    assert metadata["name"] not in names


async def test_half_a_fence_lets_some_writes_through(port: Port, body: dict[str, Any]) -> None:
    """Why writes carry both: a resourceVersion alone creates anew, a uid alone does not fence status."""
    made = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    metadata = made["metadata"]
    wrong = part(body, metadata={"uid": str(uuid.uuid4())}, status={"phase": "Healthy"})
    written = await port.apply(MODEL_DEPLOYMENT, wrong, manager="modelramp", subresource="status")
    assert written["status"]["phase"] == "Healthy"
    await port.delete(MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    half = {"resourceVersion": metadata["resourceVersion"]}
    new = await port.apply(MODEL_DEPLOYMENT, {**body, "metadata": body["metadata"] | half}, manager="git")
    assert new["metadata"]["uid"] != metadata["uid"]


async def test_another_managers_field_is_a_conflict_that_names_it(port: Port, body: dict[str, Any]) -> None:
    """Without force: FieldConflict with the owner's name; with force the field changes hands."""
    await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    mine = part(body, spec={"version": "3.0.0"})
    with pytest.raises(FieldConflict) as caught:
        await port.apply(MODEL_DEPLOYMENT, mine, manager="modelramp-rollback", force=False)
    assert caught.value.managers == ("git",)
    taken = await port.apply(MODEL_DEPLOYMENT, mine, manager="modelramp-rollback")
    assert taken["spec"]["version"] == "3.0.0"
    with pytest.raises(FieldConflict):
        await port.apply(MODEL_DEPLOYMENT, body, manager="git", force=False)


async def test_what_a_manager_no_longer_applies_goes(port: Port, body: dict[str, Any]) -> None:
    """The fields of one manager go with its empty apply, those of the other stay."""
    await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    await port.apply(MODEL_DEPLOYMENT, part(body, spec={"rollback": ROLLBACK}), manager="modelramp-rollback")
    after = await port.apply(MODEL_DEPLOYMENT, part(body), manager="modelramp-rollback")
    assert "rollback" not in after["spec"]
    assert after["spec"]["version"] == "2.1.0"


async def test_status_is_written_apart(port: Port, body: dict[str, Any]) -> None:
    """Status through its subresource leaves the rest and the generation alone, and the other way round."""
    await port.apply(MODEL_DEPLOYMENT, {**body, "status": {"phase": "Failed"}}, manager="git")
    wrong = part(body, spec={"version": "9.9.9"}, status={"phase": "Healthy"})
    done = await port.apply(MODEL_DEPLOYMENT, wrong, manager="modelramp", subresource="status")
    assert (done["status"]["phase"], done["spec"]["version"]) == ("Healthy", "2.1.0")
    assert done["metadata"]["generation"] == 1
    again = await port.apply(MODEL_DEPLOYMENT, wrong, manager="modelramp", subresource="status")
    assert again["metadata"]["resourceVersion"] == done["metadata"]["resourceVersion"]


async def test_a_managers_time_is_that_of_its_last_change(port: Port, body: dict[str, Any]) -> None:
    """A new value of a field that it owns already counts, the same value again does not."""
    await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    times = []
    for phase in ("Pending", "Failed", "Failed"):
        status = part(body, status={"phase": phase})
        done = await port.apply(MODEL_DEPLOYMENT, status, manager="modelramp", subresource="status")
        times += [item["time"] for item in done["metadata"]["managedFields"] if "subresource" in item]
        await asyncio.sleep(1.1)
    assert times[0] < times[1] == times[2]


async def test_json_patch_is_all_or_nothing(port: Port, body: dict[str, Any]) -> None:
    """A failed test and a missing path are Fenced with nothing done; without an object it is Missing."""
    made = await port.apply(
        MODEL_DEPLOYMENT, {**body, "spec": {**body["spec"], "rollback": ROLLBACK}}, manager="git"
    )
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    remove = {"op": "remove", "path": "/spec/rollback"}
    for wrong in (
        {"op": "test", "path": "/spec/rollback/reason", "value": "Latency"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "remove", "path": "/spec/strategy"},
    ):
        with pytest.raises(Fenced):
            await port.json_patch(MODEL_DEPLOYMENT, namespace, name, [wrong, remove])
    right = [
        {"op": "test", "path": f"/metadata/{field}", "value": made["metadata"][field]}
        for field in ("uid", "resourceVersion")
    ]
    done = await port.json_patch(MODEL_DEPLOYMENT, namespace, name, [*right, remove])
    assert "rollback" not in done["spec"]
    with pytest.raises(Missing):
        await port.json_patch(MODEL_DEPLOYMENT, namespace, "nobody", [remove])


async def test_a_deletion_hits_only_what_was_meant(port: Port, body: dict[str, Any]) -> None:
    """Another uid or an old state is Fenced, the right one deletes, and what is gone already is fine."""
    made = await port.apply(MODEL_DEPLOYMENT, body, manager="git")
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    with pytest.raises(Fenced):
        await port.delete(MODEL_DEPLOYMENT, namespace, name, uid=str(uuid.uuid4()))
    uid, old = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    status = part(body, status={"phase": "Pending"})
    live = await port.apply(MODEL_DEPLOYMENT, status, manager="modelramp", subresource="status")
    with pytest.raises(Fenced):
        await port.delete(MODEL_DEPLOYMENT, namespace, name, uid=uid, resource_version=old)
    new = live["metadata"]["resourceVersion"]
    for _ in range(2):
        await port.delete(MODEL_DEPLOYMENT, namespace, name, uid=uid, resource_version=new)
    assert name not in [item["metadata"]["name"] for item in await port.list(MODEL_DEPLOYMENT)]


async def test_template_and_replicas_have_managers_of_their_own(port: Port, namespace: str) -> None:
    """Replicas default to 1, and neither manager's apply drops the other's fields."""
    name = f"revision-{uuid.uuid4().hex[:8]}"
    child = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"modelramp.dev/deployment": "fraud"}}
    }
    labels = {"app": name}
    template = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "m"}]}},
    }
    created = await port.apply(DEPLOYMENT, {**child, "spec": template}, manager="modelramp")
    assert created["spec"]["replicas"] == 1
    bare = {"metadata": {"name": name, "namespace": namespace}}
    scaled = await port.apply(DEPLOYMENT, {**bare, "spec": {"replicas": 0}}, manager="modelramp-scale")
    assert scaled["spec"]["replicas"] == 0
    after = await port.apply(DEPLOYMENT, {**child, "spec": template}, manager="modelramp")
    assert after["spec"]["replicas"] == 0
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "m"


async def test_lists_show_what_the_selector_lets_through(port: Port, namespace: str) -> None:
    """Of two Services only the apex is listed, with apiVersion and kind."""
    for name, labels in (("apex", {"modelramp.dev/apex": "fraud"}), ("revision", {})):
        service = {"metadata": {"name": name, "namespace": namespace, "labels": labels}}
        await port.apply(SERVICE, {**service, "spec": {"ports": [{"port": 80}]}}, manager="modelramp")
    listed = await port.list(SERVICE, namespace=namespace)
    assert [(item["kind"], item["metadata"]["name"]) for item in listed] == [("Service", "apex")]


async def test_what_validation_refuses_is_refused(client: Client, body: dict[str, Any]) -> None:
    """A rule of the CRD: Refused with status 422 and the rule's own words."""
    body["spec"]["version"] = "not a version"
    with pytest.raises(Refused, match=r"spec\.version") as caught:
        await client.apply(MODEL_DEPLOYMENT, body, manager="git")
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


async def test_a_json_patch_that_validation_refuses_is_refused(client: Client, body: dict[str, Any]) -> None:
    """The same status as a failed test, but it is Refused: looking again would not help."""
    await client.apply(MODEL_DEPLOYMENT, body, manager="git")
    wrong = {"op": "replace", "path": "/spec/version", "value": "not a version"}
    with pytest.raises(Refused, match=r"spec\.version"):
        await client.json_patch(
            MODEL_DEPLOYMENT, body["metadata"]["namespace"], body["metadata"]["name"], [wrong]
        )


async def test_what_a_policy_refuses_is_refused(
    cluster: Cluster, client: Client, body: dict[str, Any]
) -> None:
    """A ValidatingAdmissionPolicy on spec.rollback: Refused with the policy's message, not a conflict."""
    name = f"no-rollback-{uuid.uuid4().hex[:8]}"
    guarded = body["metadata"]["name"]
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["modelramp.dev"],
                        "apiVersions": ["*"],
                        "operations": ["UPDATE"],
                        "resources": ["modeldeployments"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": f"object.metadata.name != '{guarded}' || !has(object.spec.rollback)",
                    "message": "Git owns this spec",
                    "reason": "Forbidden",
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    cluster.kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy, binding]})
    )
    try:
        await client.apply(MODEL_DEPLOYMENT, body, manager="git")
        refused = await _refusal(client, part(body, spec={"rollback": ROLLBACK}))
    finally:
        cluster.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)
    assert "Git owns this spec" in refused.message
    assert refused.status in {403, 422}


async def _refusal(client: Client, body: dict[str, Any]) -> Refused:
    """The refusal of a policy, which takes a moment to be in force."""
    for attempt in range(50):
        changed = {**body, "metadata": {**body["metadata"], "annotations": {"attempt": str(attempt)}}}
        try:
            await client.apply(MODEL_DEPLOYMENT, changed, manager="modelramp-rollback", force=False)
        except Refused as refused:
            return refused
        await client.apply(MODEL_DEPLOYMENT, part(body), manager="modelramp-rollback")
        await asyncio.sleep(0.1)
    pytest.fail("the policy was not in force after 5 s")


async def test_what_is_not_allowed_is_refused(cluster: Cluster, body: dict[str, Any]) -> None:
    """A user without rights: Refused with 403 and Forbidden."""
    stranger = Client(await login.load(kubeconfig=str(cluster.kubeconfig(user="stranger"))))
    try:
        with pytest.raises(Refused, match="cannot patch") as caught:
            await stranger.apply(MODEL_DEPLOYMENT, body, manager="git")
    finally:
        await stranger.close()
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden")


async def test_a_token_that_is_not_known_is_unauthorized(cluster: Cluster) -> None:
    """401 is no refusal of one request: it means that this process has to end."""
    credentials = await login.load(kubeconfig=str(cluster.kubeconfig()))
    credentials.cert_file = credentials.key_file = None
    credentials.api_key = {"BearerToken": "Bearer nonsense"}
    stranger = Client(credentials)
    try:
        with pytest.raises(Unauthorized):
            await stranger.list(MODEL_DEPLOYMENT)
    finally:
        await stranger.close()


async def test_events_are_seen_by_people(cluster: Cluster, client: Client, body: dict[str, Any]) -> None:
    """An event about a ModelDeployment is listed by kubectl for that object."""
    made = await client.apply(MODEL_DEPLOYMENT, body, manager="git")
    metadata = made["metadata"]
    await client.create_event(
        {
            "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
            "eventTime": "2026-11-21T08:00:00.000000Z",
            "reportingController": "modelramp.dev/operator",
            "reportingInstance": "modelramp-0",
            "action": "Step",
            "reason": "StepStarted",
            "regarding": {
                "apiVersion": made["apiVersion"],
                "kind": made["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "note": "2.1.0 gets 5 %",
            "type": "Normal",
        }
    )
    told = cluster.kubectl(
        "events", "--namespace", metadata["namespace"], "--for", f"modeldeployment/{metadata['name']}"
    )
    assert "2.1.0 gets 5 %" in told


async def test_requests_are_recorded_with_their_outcome(cluster: Cluster, body: dict[str, Any]) -> None:
    """Each request is told with kind, verb, outcome and time: what the operator's metrics are made of."""
    told: list[tuple[str, str, str]] = []
    client = Client(
        await login.load(kubeconfig=str(cluster.kubeconfig())),
        record=lambda kind, verb, outcome, _: told.append((kind.kind, verb, outcome)),
    )
    try:
        await client.apply(MODEL_DEPLOYMENT, body, manager="git")
        with pytest.raises(Fenced):
            await client.delete(
                MODEL_DEPLOYMENT, body["metadata"]["namespace"], body["metadata"]["name"], uid="other"
            )
    finally:
        await client.close()
    assert told == [("ModelDeployment", "apply", "ok"), ("ModelDeployment", "delete", "Fenced")]
