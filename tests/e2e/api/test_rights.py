"""The operator's own rights, as the API server sees them: enough, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from devcluster.cluster import Cluster

pytestmark = pytest.mark.cluster

RBAC = Path(__file__).parents[3] / "charts" / "modelramp" / "files" / "rbac.yaml"
USER = "system:serviceaccount:modelramp-system:modelramp"
FORBIDDEN = [
    # A version is a record of other people's; what should serve is Git's.
    ("modelramp.dev", "modelversions", "patch"),
    ("modelramp.dev", "modelversions", "delete"),
    ("modelramp.dev", "modeldeployments", "update"),
    ("modelramp.dev", "modeldeployments", "create"),
    ("modelramp.dev", "modeldeployments", "delete"),
    ("modelramp.dev", "modeldeployments/status", "update"),
    # Ways to more rights than these.
    ("", "secrets", "get"),
    ("", "serviceaccounts/token", "create"),
    ("", "pods", "create"),
    ("", "pods/exec", "create"),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "create"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "patch"),
]


@pytest.fixture(scope="module")
def rbac(cluster: Cluster) -> list[dict[str, Any]]:
    """The documents of the file, which the cluster has."""
    cluster.kubectl("apply", "-f", str(RBAC))
    return list(yaml.safe_load_all(RBAC.read_text()))


def allowed(cluster: Cluster, group: str, resource: str, verb: str, *, namespace: str = "default") -> bool:
    """What the API server's authorizer answers for the operator, in a namespace that is not its own."""
    kind, _, part = resource.partition("/")
    attributes = {"group": group, "resource": kind, "subresource": part, "verb": verb, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": USER, "groups": ["system:authenticated"], "resourceAttributes": attributes},
    }
    answer = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    return bool(answer["status"]["allowed"])


def rights_of(role: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Group, resource and verb of everything a role grants."""
    return [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def test_every_right_of_the_file_holds(cluster: Cluster, rbac: list[dict[str, Any]]) -> None:
    """ServiceAccount, role and binding fit together: each right that is written down is granted."""
    (role,) = (document for document in rbac if document["kind"] == "ClusterRole")
    rights = rights_of(role)
    assert len(rights) > 30
    assert [right for right in rights if not allowed(cluster, *right)] == []


def test_the_lease_is_the_operators_own_namespace(cluster: Cluster, rbac: list[dict[str, Any]]) -> None:
    """It may get, create and update Leases where it lives, and touch none anywhere else."""
    (role,) = (document for document in rbac if document["kind"] == "Role")
    rights = rights_of(role)
    assert {verb for _, _, verb in rights} == {"get", "create", "update"}
    assert all(allowed(cluster, *right, namespace="modelramp-system") for right in rights)
    assert not any(allowed(cluster, *right, namespace="kube-system") for right in rights)


@pytest.mark.usefixtures("rbac")
@pytest.mark.parametrize(("group", "resource", "verb"), FORBIDDEN, ids=lambda value: value or "core")
def test_the_operator_may_not(cluster: Cluster, group: str, resource: str, verb: str) -> None:
    """What would let the operator change other people's records, or gain rights, is refused."""
    assert not allowed(cluster, group, resource, verb)


def test_no_right_is_a_wildcard(rbac: list[dict[str, Any]]) -> None:
    """Every right is named, so that a new kind in the cluster gives the operator nothing."""
    assert "*" not in json.dumps(rbac)
