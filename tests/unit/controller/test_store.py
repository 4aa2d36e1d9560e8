"""The store: the newer state wins, what is gone stays gone, and who is concerned is woken."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.controller.store import Store
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, MODEL_VERSION, POD, VIRTUAL_SERVICE, WATCHED

if TYPE_CHECKING:
    from modelramp.kube.kinds import Kind

FRAUD = ("ml", "fraud")
SPAM = ("ml", "spam")


def thing(
    name: str,
    version: int,
    *,
    uid: str | None = None,
    labels: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An object in namespace `ml`."""
    metadata = {
        "name": name,
        "namespace": "ml",
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "labels": labels or {},
    }
    return {"metadata": metadata, "spec": spec or {}}


def child(name: str, version: int, of: str = "fraud", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An object that carries the label of a ModelDeployment."""
    return thing(name, version, labels={"modelramp.dev/deployment": of}, **more)


def wanting(name: str, version: int, wanted: str = "1.0.0", hosts: tuple[str, ...] = ()) -> dict[str, Any]:
    """A ModelDeployment that asks for a version of the model `fraud`."""
    spec = {"model": "fraud", "version": wanted, "traffic": {"istio": {"hosts": list(hosts)}}}
    return thing(name, version, spec=spec)


@pytest.fixture
def store() -> Store:
    """An empty store of all kinds."""
    return Store(WATCHED)


def test_the_newer_state_wins_in_any_order(store: Store) -> None:
    """An older or equal resourceVersion changes nothing, wakes nobody; numbers are compared, not texts."""
    assert store.put(MODEL_DEPLOYMENT, wanting("fraud", 9)) == {FRAUD}
    assert store.put(MODEL_DEPLOYMENT, wanting("fraud", 10, "1.1.0")) == {FRAUD}
    assert store.put(MODEL_DEPLOYMENT, wanting("fraud", 9)) == set()
    assert store.put(MODEL_DEPLOYMENT, wanting("fraud", 10)) == set()
    found = store.get(MODEL_DEPLOYMENT, *FRAUD)
    assert found
    assert found["spec"]["version"] == "1.1.0"


def test_what_is_put_in_is_not_changed(store: Store) -> None:
    """The caller's object stays as it was, although a slimmer one is kept."""
    body = wanting("fraud", 1)
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{…}", "a": "b"}
    body["metadata"]["managedFields"] = [{"manager": "git", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]
    before = deepcopy(body)
    store.put(MODEL_DEPLOYMENT, body)
    assert body == before
    kept = store.get(MODEL_DEPLOYMENT, *FRAUD)
    assert kept
    assert kept["metadata"]["managedFields"] == [{"manager": "git", "operation": "Apply"}]
    assert kept["metadata"]["annotations"] == {"a": "b"}
    assert (kept["apiVersion"], kept["kind"]) == ("modelramp.dev/v1alpha1", "ModelDeployment")


def test_a_late_answer_does_not_bring_a_deleted_object_back(store: Store) -> None:
    """After a deletion an older state of the same uid is refused; a new object of that name is not."""
    store.put(DEPLOYMENT, child("fraud-1", 5, uid="old"))
    assert store.drop(DEPLOYMENT, "ml", "fraud-1", "old", version=8) == {FRAUD}
    assert store.put(DEPLOYMENT, child("fraud-1", 7, uid="old")) == set()
    assert store.get(DEPLOYMENT, "ml", "fraud-1") is None
    assert store.put(DEPLOYMENT, child("fraud-1", 6, uid="new")) == {FRAUD}


def test_a_deletion_that_comes_first_counts(store: Store) -> None:
    """The watch may tell of a deletion before the answer of our own creation is in."""
    assert store.drop(DEPLOYMENT, "ml", "fraud-1", "a", version=8) == set()
    assert store.put(DEPLOYMENT, child("fraud-1", 5, uid="a")) == set()
    assert store.children(DEPLOYMENT, FRAUD) == []


def test_a_deletion_of_a_namesake_leaves_the_new_object(store: Store) -> None:
    """Deleted and made again: the late deletion of the first does not take the second."""
    store.put(DEPLOYMENT, child("fraud-1", 9, uid="new"))
    assert store.drop(DEPLOYMENT, "ml", "fraud-1", "old", version=8) == set()
    assert store.get(DEPLOYMENT, "ml", "fraud-1")


def test_an_object_that_got_its_label_back_is_there_again(store: Store) -> None:
    """Losing the watched label looks like a deletion, but the same uid may come back with a newer state."""
    store.put(DEPLOYMENT, child("fraud-1", 5))
    store.drop(DEPLOYMENT, "ml", "fraud-1", "uid-fraud-1", version=6)
    assert store.put(DEPLOYMENT, child("fraud-1", 7)) == {FRAUD}


def test_children_belong_to_who_their_label_names(store: Store) -> None:
    """By name order; a child that changes its label wakes the old owner and the new one."""
    for name in ("b", "a"):
        store.put(POD, child(name, 1))
    store.put(POD, child("c", 1, of="spam"))
    assert [item["metadata"]["name"] for item in store.children(POD, FRAUD)] == ["a", "b"]
    assert store.put(POD, child("a", 2, of="spam")) == {FRAUD, SPAM}
    assert [item["metadata"]["name"] for item in store.children(POD, SPAM)] == ["a", "c"]
    assert store.children(DEPLOYMENT, FRAUD) == []


def test_a_model_version_wakes_who_wants_it(store: Store) -> None:
    """Every ModelDeployment that names it, and no other; also after one has changed its mind."""
    store.put(MODEL_DEPLOYMENT, wanting("fraud", 1, "2.0.0"))
    store.put(MODEL_DEPLOYMENT, wanting("spam", 2, "1.0.0"))
    assert store.put(MODEL_VERSION, thing("fraud-2.0.0", 3)) == {FRAUD}
    store.put(MODEL_DEPLOYMENT, wanting("spam", 4, "2.0.0"))
    assert store.put(MODEL_VERSION, thing("fraud-2.0.0", 5)) == {FRAUD, SPAM}
    assert store.drop(MODEL_VERSION, "ml", "fraud-2.0.0", "uid-fraud-2.0.0") == {FRAUD, SPAM}


@pytest.mark.parametrize("host", ["shop.example.com", "fraud", "fraud.ml.svc.cluster.local"])
def test_a_foreign_route_on_the_same_host_wakes(store: Store, host: str) -> None:
    """A host of the user's, or the apex by its short or full name; another host wakes nobody."""
    store.put(MODEL_DEPLOYMENT, wanting("fraud", 1, hosts=("shop.example.com",)))
    route = thing("theirs", 2, spec={"hosts": [host], "gateways": ["mesh"], "http": [{"route": []}]})
    assert store.put(VIRTUAL_SERVICE, route) == {FRAUD}
    full = "shop.example.com" if "shop" in host else "fraud.ml.svc.cluster.local"
    (found,) = store.routes_of(full)
    assert found["spec"] == {"hosts": [host], "gateways": ["mesh"]}
    assert store.put(VIRTUAL_SERVICE, thing("else", 3, spec={"hosts": ["other.example.com"]})) == set()
    assert store.drop(VIRTUAL_SERVICE, "ml", "theirs", "uid-theirs") == {FRAUD}
    assert store.routes_of(full) == []


def test_a_route_of_ours_is_kept_whole_and_wakes_its_owner(store: Store) -> None:
    """Our own VirtualService is compared field by field, so nothing of it may be lost."""
    spec = {"hosts": ["nobody.example.com"], "http": [{"route": [{"weight": 5}]}]}
    assert store.put(VIRTUAL_SERVICE, child("fraud", 2, spec=spec)) == {FRAUD}
    kept = store.get(VIRTUAL_SERVICE, *FRAUD)
    assert kept
    assert kept["spec"] == spec


def test_ghosts_go_and_latecomers_stay(store: Store) -> None:
    """What a list no longer shows is dropped, but not what came in after the list had begun."""
    store.put(POD, child("ghost", 1))
    store.put(POD, child("alive", 2, of="spam"))
    before = store.newest()
    store.put(POD, child("late", 3))
    assert before == 2
    assert store.reconcile_list(POD, [{"uid": "uid-alive"}], before=before) == {FRAUD}
    assert {item["metadata"]["name"] for item in store.all(POD)} == {"alive", "late"}


async def test_the_barrier_opens_when_every_kind_is_in(store: Store) -> None:
    """Ready only with the last kind: before that, absence means nothing."""
    for kind in WATCHED[1:]:
        store.mark_listed(kind)
    assert not store.ready
    store.mark_listed(WATCHED[0])
    await store.wait_ready()
    assert store.ready


_events = st.lists(
    st.tuples(
        st.sampled_from([POD, MODEL_DEPLOYMENT, VIRTUAL_SERVICE]),
        st.sampled_from(["put", "drop"]),
        st.sampled_from(["fraud", "spam", "x"]),
        st.sampled_from(["fraud", "spam", None]),
        st.sampled_from(["a.example.com", "fraud"]),
    ),
    max_size=30,
)


@given(events=_events)
def test_the_index_is_what_a_fresh_store_would_have(
    events: list[tuple[Kind, str, str, str | None, str]],
) -> None:
    """Whatever came and went, children and routes are those of the objects that are there now."""
    store = Store(WATCHED)
    for version, (kind, verb, name, owner, host) in enumerate(events, start=1):
        if verb == "drop":
            store.drop(kind, "ml", name, f"uid-{name}", version=version)
            continue
        body = child(name, version, of=owner) if owner else thing(name, version)
        store.put(kind, body | {"spec": {"hosts": [host], "model": "fraud", "version": host}})
    fresh = Store(WATCHED)
    for kind in WATCHED:
        for body in store.all(kind):
            fresh.put(kind, body)
    for key in (FRAUD, SPAM):
        assert store.children(POD, key) == fresh.children(POD, key)
    for host in ("a.example.com", "fraud.ml.svc.cluster.local"):
        assert json.dumps(store.routes_of(host)) == json.dumps(fresh.routes_of(host))
    probe = thing("fraud-a.example.com", 1000)
    assert store.put(MODEL_VERSION, probe) == fresh.put(MODEL_VERSION, probe)
