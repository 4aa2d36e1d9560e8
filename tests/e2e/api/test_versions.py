"""ModelVersion on a real API server: the record never changes, and wrong ones are refused in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from devcluster.cluster import KubectlError
from support.api import DIGEST, deployment, version

if TYPE_CHECKING:
    from support.api import Api

pytestmark = pytest.mark.cluster


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


def test_nothing_is_added_to_a_record(api: Api, name: str) -> None:
    """The record in the cluster is what was written: its digest depends on it."""
    small = version(name, createdBy=None, changelog=None, tags=None, stage=None)
    assert api.apply(small)["spec"] == small["spec"]
