"""Paths and names of the kinds, as the API server has them."""

from __future__ import annotations

import pytest

from modelramp.kube.kinds import MODEL_DEPLOYMENT, POD, SERVICE, VIRTUAL_SERVICE, Kind, kind_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (POD.path(), "/api/v1/pods"),
        (SERVICE.path("ml", "fraud"), "/api/v1/namespaces/ml/services/fraud"),
        (
            MODEL_DEPLOYMENT.path("ml", "fraud", "status"),
            "/apis/modelramp.dev/v1alpha1/namespaces/ml/modeldeployments/fraud/status",
        ),
        (Kind("", "v1", "nodes", "Node", namespaced=False).path("ml", "n1"), "/api/v1/nodes/n1"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    """Core group, named group, subresource, cluster scope."""
    assert path == expected


def test_names() -> None:
    """ApiVersion of an object, and the resource as RBAC and kubectl name it."""
    assert (POD.api_version, POD.resource) == ("v1", "pods")
    assert VIRTUAL_SERVICE.api_version == "networking.istio.io/v1"
    assert VIRTUAL_SERVICE.resource == "virtualservices.networking.istio.io"


def test_an_object_tells_its_kind() -> None:
    """By apiVersion and kind; what the operator does not work with is an error."""
    assert kind_of({"apiVersion": "v1", "kind": "Pod"}) == POD
    with pytest.raises(KeyError):
        kind_of({"apiVersion": "v1", "kind": "Secret"})
