"""The API as people meet it: the generated CRDs on a real API server, through kubectl."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devcluster.cluster import KubectlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devcluster.cluster import Cluster

pytestmark = pytest.mark.cluster

CRDS = Path(__file__).parents[2] / "crds"
DIGEST = "sha256:" + "a1" * 32
Manifest = dict[str, Any]


class Api:
    """Kubectl in a namespace of the tests' own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def kubectl(self, *arguments: str, manifest: Manifest | None = None) -> str:
        """What kubectl wrote."""
        text = None if manifest is None else json.dumps(manifest)
        return self._cluster.kubectl("--namespace", self._namespace, *arguments, stdin=text)

    def apply(self, manifest: Manifest) -> Manifest:
        """The object as it is after a plain client-side apply."""
        found: Manifest = json.loads(self.kubectl("apply", "-f", "-", "-o", "json", manifest=manifest))
        return found

    def refusal(self, manifest: Manifest) -> str:
        """What kubectl says when the object is refused."""
        with pytest.raises(KubectlError) as caught:
            self.apply(manifest)
        return str(caught.value)

    def patch_status(self, kind: str, name: str, status: Manifest) -> Manifest:
        """The object after its status was patched on the subresource."""
        patch = json.dumps({"status": status})
        arguments = ("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch, "-o", "json")
        found: Manifest = json.loads(self.kubectl(*arguments))
        return found


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Api]:
    """The CRDs applied as a person would, and a fresh namespace."""
    cluster.kubectl("apply", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    namespace = f"api-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    yield Api(cluster, namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"fraud-{uuid.uuid4().hex[:8]}"


def version(model: str, **spec: Any) -> Manifest:  # noqa: ANN401 - values of a manifest
    """A ModelVersion 2.1.0 with every field of the record; None leaves one out."""
    full = {
        "model": model,
        "version": "2.1.0",
        "modelFormat": {"name": "onnx", "version": "1.16"},
        "artifacts": [{"role": "model", "uri": "s3://models/model.onnx", "digest": DIGEST, "sizeBytes": 7}],
        "createdBy": "zoe@example.com",
        "changelog": "Trained on the third quarter.",
        "tags": ["tabular"],
        "stage": "Staging",
    } | spec
    return {
        "apiVersion": "modelramp.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": f"{model}-{full['version']}"},
        "spec": {key: value for key, value in full.items() if value is not None},
    }


def deployment(name: str, **spec: Any) -> Manifest:  # noqa: ANN401 - values of a manifest
    """A ModelDeployment with what is required and nothing else."""
    return {
        "apiVersion": "modelramp.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": "fraud",
            "version": "2.1.0",
            "workload": {"template": {"spec": {"containers": [{"name": "model", "image": "model"}]}}},
            "traffic": {"istio": {"hosts": ["fraud.example.com"]}},
        }
        | spec,
    }


def canary(*steps: tuple[Any, str]) -> Manifest:
    """A strategy of steps given as weight and hold."""
    return {"type": "Canary", "steps": [{"weight": weight, "hold": hold} for weight, hold in steps]}


def analysis(**metric: Any) -> Manifest:  # noqa: ANN401 - values of a manifest
    """An analysis of one metric."""
    return {"metrics": [{"name": "error-rate", "limit": 0.05} | metric]}


def test_crds_were_applied_by_the_client(api: Api) -> None:
    """A plain `kubectl apply`, which keeps a copy in an annotation, takes them; they are structural."""
    found = json.loads(api.kubectl("get", "-f", str(CRDS), "-o", "json"))["items"]
    assert len(found) == len(list(CRDS.glob("*.yaml"))) == 2
    for crd in found:
        assert "kubectl.kubernetes.io/last-applied-configuration" in crd["metadata"]["annotations"]
        conditions = {item["type"]: item["status"] for item in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert "NonStructuralSchema" not in conditions


def test_applying_the_crds_again_changes_nothing(api: Api) -> None:
    """The server has no other opinion on any value of the files."""
    said = api.kubectl("apply", "-f", str(CRDS)).splitlines()
    assert len(said) == 2
    assert all(line.endswith(" unchanged") for line in said), said


CHANGES = {
    "modelFormat": {"name": "onnx", "version": "1.17"},
    "artifacts": [{"role": "model", "uri": "s3://models/model.onnx", "digest": "sha256:" + "b2" * 32}],
    "createdBy": "mallory@example.com",
    "changelog": "Nothing to see here.",
    "tags": ["tabular", "eu"],
}
OPTIONAL = ["createdBy", "changelog", "tags"]


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_a_field_of_the_record_cannot_be_changed(api: Api, name: str, field: str) -> None:
    """Each field is refused with a message that names it and says what to do."""
    api.apply(version(name))
    said = api.refusal(version(name, **{field: CHANGES[field]}))
    assert f"spec.{field}" in said
    assert f"{field} is immutable: the record of a version never changes; make a new version instead" in said


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_field_of_the_record_cannot_be_added(api: Api, name: str, field: str) -> None:
    """A field that was left out stays out."""
    api.apply(version(name, **{field: None}))
    assert f"{field} is immutable" in api.refusal(version(name))


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_field_of_the_record_cannot_be_removed(api: Api, name: str, field: str) -> None:
    """A field that was written stays."""
    api.apply(version(name))
    assert f"{field} is immutable" in api.refusal(version(name, **{field: None}))


@pytest.mark.parametrize(("field", "value"), [("model", "other"), ("version", "2.1.1")])
def test_identity_cannot_be_patched(api: Api, name: str, field: str, value: str) -> None:
    """Model and version, which the name repeats, are immutable as well."""
    api.apply(version(name))
    patch = json.dumps({"spec": {field: value}})
    with pytest.raises(KubectlError, match=f"{field} is immutable"):
        api.kubectl("patch", "mv", f"{name}-2.1.0", "--type=merge", "-p", patch)


@pytest.mark.parametrize("part", ["sizeBytes", "uri"])
def test_what_is_inside_a_field_is_immutable_too(api: Api, name: str, part: str) -> None:
    """A change deep in a list is a change of the record."""
    found = api.apply(version(name))
    artifact = dict(found["spec"]["artifacts"][0])
    artifact[part] = {"sizeBytes": 8, "uri": "s3://models/other.onnx"}[part]
    assert "artifacts is immutable" in api.refusal(version(name, artifacts=[artifact]))


@pytest.mark.parametrize("stage", ["Production", None])
def test_stage_may_change(api: Api, name: str, stage: str | None) -> None:
    """The wanted stage is a request: it may be changed and taken away."""
    api.apply(version(name))
    assert api.apply(version(name, stage=stage))["spec"].get("stage") == stage


@pytest.mark.parametrize("wrong", ["v1.0.0", "2.1", "2.1.0-RC.1", "2.1.0+build.5", "02.1.0", "latest"])
def test_version_must_be_semantic(api: Api, name: str, wrong: str) -> None:
    """Both kinds refuse what is no semantic version, and show a right one."""
    message = "must be a semantic version in lower case, without a leading v and without build metadata"
    record = version(name, version=wrong)
    record["metadata"]["name"] = f"{name}-2.1.0"
    for manifest in (record, deployment(name, version=wrong)):
        said = api.refusal(manifest)
        assert "spec.version" in said
        assert message in said
        assert "such as 2.1.0 or 2.1.0-rc.1" in said


@pytest.mark.parametrize("right", ["0.0.1", "2.1.0-rc.1", "10.20.30-experiment-7.x"])
def test_versions_and_channels_are_taken(api: Api, name: str, right: str) -> None:
    """A pre-release names the channel."""
    assert api.apply(version(name, version=right))["spec"]["version"] == right


def test_name_must_be_model_and_version(api: Api, name: str) -> None:
    """The message says what the name must be."""
    manifest = version(name)
    manifest["metadata"]["name"] = f"{name}-final"
    assert f"metadata.name must be <model>-<version>: {name}-2.1.0" in api.refusal(manifest)


def test_one_artifact_must_be_the_model(api: Api, name: str) -> None:
    """A record without a model is no record."""
    said = api.refusal(version(name, artifacts=[{"role": "docs", "uri": "s3://card.md", "digest": DIGEST}]))
    assert "artifacts: one of them must have the role model" in said


def test_digest_must_be_one(api: Api, name: str) -> None:
    """The message says how to get a digest."""
    wrong = [{"role": "model", "uri": "s3://models/model.onnx", "digest": "md5:1234"}]
    assert "must be sha256: and 64 hexadecimal digits in lower case (sha256sum FILE)" in api.refusal(
        version(name, artifacts=wrong)
    )


@pytest.mark.parametrize("weights", [(20, 5), (5, 5), (5, 50, 20)])
def test_weights_must_rise(api: Api, name: str, weights: tuple[int, ...]) -> None:
    """Weights that fall or stay are refused, with right ones shown."""
    said = api.refusal(deployment(name, strategy=canary(*((weight, "1h") for weight in weights))))
    assert "spec.strategy.steps" in said
    assert "weights must rise: each step's must be greater than the one before, such as 5, 20, 50" in said


@pytest.mark.parametrize("weight", [100, 0, -5])
def test_weight_is_1_to_99(api: Api, name: str, weight: int) -> None:
    """100 % is not a step; the message says so."""
    said = api.refusal(deployment(name, strategy=canary((weight, "1h"))))
    assert "spec.strategy.steps[0].weight" in said
    assert "weight must be 1 to 99; 100 % follows the last step by itself" in said


@pytest.mark.parametrize("hold", ["0s", "banana", "", "1d", "1.5h", "-5m", "30"])
def test_hold_must_be_a_duration(api: Api, name: str, hold: str) -> None:
    """Whatever is wrong with a duration, the message is ours and shows right ones."""
    said = api.refusal(deployment(name, strategy=canary((5, hold))))
    assert "spec.strategy.steps[0].hold" in said
    assert "must be a duration of at least 1s, in hours, minutes and seconds, such as 90s, 30m or 24h" in said


@pytest.mark.parametrize("hold", ["1s", "90s", "24h", "168h", "1h30m", "999999h"])
def test_durations_are_taken_as_written(api: Api, name: str, hold: str) -> None:
    """A right duration is kept as it was written."""
    found = api.apply(deployment(name, strategy=canary((5, hold))))
    assert found["spec"]["strategy"]["steps"][0]["hold"] == hold


@pytest.mark.parametrize("critical", [0.05, 0.01])
def test_critical_limit_is_above_the_limit(api: Api, name: str, critical: float) -> None:
    """A critical limit that is not above the limit is refused."""
    said = api.refusal(deployment(name, analysis=analysis(criticalLimit=critical)))
    assert "spec.analysis.metrics[0].criticalLimit" in said
    assert "criticalLimit must be greater than limit" in said


@pytest.mark.parametrize("wrong", ["1fraud", "fraud.eu", "f" * 53])
def test_name_of_a_deployment_can_name_services(api: Api, wrong: str) -> None:
    """A name that no Service could have, with the revision behind it, is refused, with the reason."""
    said = api.refusal(deployment(wrong))
    assert "metadata.name must begin with a letter" in said
    assert "at most 52 characters: the Services and the route are named after it" in said


def test_longest_name_is_taken(api: Api) -> None:
    """52 characters are not too many."""
    name = f"f{uuid.uuid4().hex}".ljust(52, "x")
    assert api.apply(deployment(name))["metadata"]["name"] == name


def test_defaults_are_seen_in_the_live_object(api: Api, name: str) -> None:
    """Who reads the object sees what holds; what a policy decides is not there."""
    spec = api.apply(deployment(name, analysis=analysis()))["spec"]
    found = {
        key: spec[key] for key in ("replicas", "port", "revisionHistoryLimit", "progressDeadline", "drain")
    }
    assert found == {
        "replicas": 1,
        "port": 8080,
        "revisionHistoryLimit": 5,
        "progressDeadline": "30m",
        "drain": "30s",
    }
    assert spec["rollbackPolicy"] == {"keepPrevious": "1h"}
    assert spec["analysis"]["interval"] == "30s"
    assert spec["analysis"]["metrics"][0]["profile"] == "envoy"
    assert "strategy" not in spec
    assert "rollback" not in spec


def test_nothing_is_added_to_a_record(api: Api, name: str) -> None:
    """The record in the cluster is what was written: its digest depends on it."""
    small = version(name, createdBy=None, changelog=None, tags=None, stage=None)
    assert api.apply(small)["spec"] == small["spec"]


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


def test_pod_specification_is_kept_as_written(api: Api, name: str) -> None:
    """The pod's specification is Kubernetes' own: nothing of it is pruned."""
    pod = {"containers": [{"name": "model", "image": "model", "args": ["--x"]}], "schedulerName": "other"}
    found = api.apply(deployment(name, workload={"template": {"spec": pod}}))
    assert found["spec"]["workload"]["template"]["spec"] == pod


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
