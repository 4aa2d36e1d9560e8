"""What kubectl makes of the CRDs: apply, explain, get, and the status subresource."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from devcluster.cluster import KubectlError
from support.api import analysis, canary, deployment, version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.api import Api, Manifest

pytestmark = pytest.mark.cluster


def test_crds_were_applied_by_the_client(api: Api, crds: Path) -> None:
    """A plain `kubectl apply`, which keeps a copy in an annotation, takes them; they are structural."""
    found = json.loads(api.kubectl("get", "-f", str(crds), "-o", "json"))["items"]
    assert len(found) == len(list(crds.glob("*.yaml"))) == 2
    for crd in found:
        assert "kubectl.kubernetes.io/last-applied-configuration" in crd["metadata"]["annotations"]
        conditions = {item["type"]: item["status"] for item in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert "NonStructuralSchema" not in conditions


def test_applying_the_crds_again_changes_nothing(api: Api, crds: Path) -> None:
    """The server has no other opinion on any value of the files."""
    said = api.kubectl("apply", "-f", str(crds)).splitlines()
    assert len(said) == 2
    assert all(line.endswith(" unchanged") for line in said), said


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda name: version(name, colour="red"), "spec.colour"),
        (
            lambda name: version(name, modelFormat={"name": "onnx", "colour": "red"}),
            "spec.modelFormat.colour",
        ),
        (lambda name: deployment(name, stratgy=canary((5, "1h"))), "spec.stratgy"),
        (lambda name: deployment(name, analysis=analysis(limt=0.1)), "spec.analysis.metrics[0].limt"),
    ],
)
def test_unknown_fields_are_refused(api: Api, name: str, make: Callable[[str], Manifest], path: str) -> None:
    """Kubectl refuses a field that is not known, and says where it is."""
    assert f'unknown field "{path}"' in api.refusal(make(name))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("mdep", "Which version of a model should serve"),
        ("mdep.spec.strategy.steps.hold", "The least time at this weight"),
        ("mdep.spec.rollback", "Written by the operator only"),
        ("mdep.status.candidate.weight", "Percent of the traffic."),
        ("mv.spec.artifacts.digest", "sha256 of the file"),
        ("mv.spec.stage", "The one field that may change."),
    ],
)
def test_explain_has_a_sentence(api: Api, field: str, text: str) -> None:
    """`kubectl explain` says what a field is for; the server publishes schemas some time after the CRD."""
    said = ""
    deadline = time.monotonic() + 30
    while text not in " ".join(said.split()) and time.monotonic() < deadline:
        try:
            said = api.kubectl("explain", field)
        except KubectlError as error:
            said = str(error)
            time.sleep(0.5)
    assert text in " ".join(said.split())
    assert "<no description>" not in said


def test_columns_of_a_deployment(api: Api, name: str) -> None:
    """`kubectl get mdep` shows what is wanted, what serves and what is going on."""
    api.apply(deployment(name))
    names = {"revision": "2.0.0-0a1b2c3d", "version": "2.0.0", "digest": "d", "service": f"{name}-0a1b2c3d"}
    moment = "2026-01-02T03:04:05.000Z"
    api.patch_status(
        "mdep",
        name,
        {
            "stable": names | {"weight": 80},
            "candidate": names | {"weight": 20, "step": 2},
            "plan": {
                "id": "p",
                "hash": "h",
                "revision": "2.1.0-4e5f6a7b",
                "strategy": canary((5, "1h"), (20, "1h")),
                "analysis": analysis(),
                "startedAt": moment,
            },
            "summary": {"step": "2/3", "text": "Holding until 14:05"},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "False",
                    "reason": "R",
                    "message": "m",
                    "lastTransitionTime": moment,
                }
            ],
        },
    )
    header, row = api.kubectl("get", "mdep", name).splitlines()
    columns = ["MODEL", "VERSION", "SERVING", "STRATEGY", "STEP", "WEIGHT", "READY", "REASON", "AGE"]
    assert header.split() == ["NAME", *columns]
    wanted = [name, "fraud", "2.1.0", "2.0.0", "Canary", "2/3", "20", "False", "Holding", "until", "14:05"]
    assert row.split()[:-1] == wanted


def test_columns_of_a_version(api: Api, name: str) -> None:
    """`kubectl get mv` shows what a version is, and its digest."""
    api.apply(version(name))
    api.patch_status("mv", f"{name}-2.1.0", {"digest": "v1:sha256:0a1b"})
    header, row = api.kubectl("get", "mv", f"{name}-2.1.0").splitlines()
    assert header.split() == ["NAME", "MODEL", "VERSION", "FORMAT", "STAGE", "DIGEST", "AGE"]
    assert row.split()[:-1] == [f"{name}-2.1.0", name, "2.1.0", "onnx", "Staging", "v1:sha256:0a1b"]


def test_category_shows_both_kinds(api: Api, name: str) -> None:
    """`kubectl get modelramp` lists all kinds of the product."""
    api.apply(version(name))
    api.apply(deployment(name))
    said = api.kubectl("get", "modelramp", "-o", "name").splitlines()
    assert f"modelversion.modelramp.dev/{name}-2.1.0" in said
    assert f"modeldeployment.modelramp.dev/{name}" in said


def test_status_is_written_on_the_subresource_only(api: Api, name: str) -> None:
    """A status in an apply is dropped; one on the subresource is kept and makes no new generation."""
    status = {"summary": {"step": "1/3", "text": "Deploying"}}
    first = api.apply(deployment(name) | {"status": status})
    assert "status" not in first
    second = api.patch_status("mdep", name, status)
    assert second["status"] == status
    assert second["metadata"]["generation"] == first["metadata"]["generation"] == 1
    third = api.apply(deployment(name, replicas=2) | {"status": {"summary": {"step": "9/9", "text": "No"}}})
    assert third["status"] == status
    assert third["metadata"]["generation"] == 2


def test_spec_is_not_written_on_the_subresource(api: Api, name: str) -> None:
    """Who may write status cannot change what was wanted."""
    api.apply(deployment(name))
    patch = json.dumps({"spec": {"replicas": 9}, "status": {"phase": "Pending"}})
    api.kubectl("patch", "mdep", name, "--subresource=status", "--type=merge", "-p", patch)
    found = json.loads(api.kubectl("get", "mdep", name, "-o", "json"))
    assert found["spec"]["replicas"] == 1
    assert found["status"] == {"phase": "Pending"}
