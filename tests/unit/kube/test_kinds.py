"""Paths and names of the kinds, as the API server has them."""

from __future__ import annotations

import pytest

from modelramp.kube.kinds import MODEL_DEPLOYMENT, POD, SERVICE, VIRTUAL_SERVICE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (POD.path(), "/api/v1/pods"),
        (SERVICE.path("ml", "fraud"), "/api/v1/namespaces/ml/services/fraud"),
        (
            MODEL_DEPLOYMENT.path("ml", "fraud", "status"),
            "/apis/modelramp.dev/v1alpha1/namespaces/ml/modeldeployments/fraud/status",
        ),
    ],
)
def test_paths(path: str, expected: str) -> None:
    """Core group, named group, subresource."""
    assert path == expected


def test_names() -> None:
    """ApiVersion of an object, and the resource as RBAC and kubectl name it."""
    assert (POD.api_version, POD.resource) == ("v1", "pods")
    assert VIRTUAL_SERVICE.api_version == "networking.istio.io/v1"
    assert VIRTUAL_SERVICE.resource == "virtualservices.networking.istio.io"
