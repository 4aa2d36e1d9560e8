"""What a pod's manifest asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.agent import spec

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a.b/c": "x"}},
    "spec": {"nodeName": "node-1"},
}


def _environment(container: dict[str, Any], stores: dict[tuple[str, str], dict[str, str]]) -> dict[str, str]:
    return spec.environment(
        container,
        base={"PATH": "/bin"},
        pod=POD,
        address="10.244.16.1",
        node_address="10.244.0.1",
        stores=stores,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A ${A} $(", "$A ${A} $("),
        (r"_rq(_(\d{3}))$", r"_rq(_(\d{3}))$"),
    ],
)
def test_expands_references_as_kubernetes_does(text: str, expected: str) -> None:
    """Known names are replaced, unknown ones stay, and a doubled dollar is a literal one."""
    assert spec.expand(text, {"A": "1"}) == expected


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_dollars_is_left_alone(text: str) -> None:
    """Expansion changes nothing that does not contain a dollar sign."""
    assert spec.expand(text, {"A": "1"}) == text


def test_environment_takes_fields_and_stores_in_order() -> None:
    """Later entries see earlier ones; ConfigMaps, Secrets, fields and labels give their values."""
    container = {
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}],
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "ALL", "value": "$(IP) $(P_one) $(KEY)"},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "no", "optional": True}}},
        ],
    }
    stores = {("configmaps", "c"): {"one": "1"}, ("secrets", "s"): {"k": "secret"}}
    assert _environment(container, stores) == {
        "PATH": "/bin",
        "P_one": "1",
        "IP": "10.244.16.1",
        "LABEL": "x",
        "KEY": "secret",
        "ALL": "10.244.16.1 1 secret",
    }


def test_missing_key_is_an_error() -> None:
    """A key that does not exist stops the container with a message that names it."""
    container = {"env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "gone"}}}]}
    with pytest.raises(spec.ConfigError, match="couldn't find key gone in ConfigMap c"):
        _environment(container, {("configmaps", "c"): {}})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("python:3.11", True),
        ("invalid", True),
        ("registry.example/invalid:1", True),
        ("registry.invalid/model:1", False),
        ("registry.invalid:5000/model", False),
    ],
)
def test_images_of_the_reserved_domain_cannot_be_pulled(image: str, expected: bool) -> None:  # noqa: FBT001
    """Only a registry in the domain `invalid` fails, not any image with the word in its name."""
    assert spec.image_exists(image) is expected


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 2, True), ("Never", 2, False)],
)
def test_restart_policy(policy: str, code: int, expected: bool) -> None:  # noqa: FBT001
    """Who is started again follows the policy and the exit code."""
    assert spec.restarts(policy, code) is expected


def test_back_off_doubles_up_to_five_minutes() -> None:
    """The first restart is at once, then 10 s, 20 s … and never more than 300 s."""
    assert [spec.backoff(n, 10) for n in (1, 2, 3, 4, 20)] == [0, 10, 20, 40, 300]


def test_threshold_counts_answers_in_a_row() -> None:
    """A good answer between bad ones starts the count anew."""
    threshold = spec.Threshold(1, 3)
    answers = [threshold.observe(ok=ok) for ok in (False, False, True, False, False, False)]
    assert answers == [None, None, True, None, None, False]


def test_ports_have_names() -> None:
    """A probe may name a container port; an unknown name is an error that names it."""
    container = {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}
    assert (spec.port_number(container, "http"), spec.port_number(container, 9)) == (8080, 9)
    with pytest.raises(spec.ConfigError, match="no port named 'grpc'"):
        spec.port_number(container, "grpc")


def test_volumes_are_refused_by_name() -> None:
    """A volume that the agent cannot mount is an error; the service account's is not."""
    spec.refuse_volumes({"volumeMounts": [{"mountPath": spec.ACCOUNT_PATH}]})
    with pytest.raises(spec.ConfigError, match="/data"):
        spec.refuse_volumes({"volumeMounts": [{"mountPath": "/data"}]})
