"""The versions are what they are said to be, and their digests are true."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from digits import dataset
from digits.server.artifact import Artifact
from digits.train import measure
from modelramp.api.modeldeployment import ModelDeploymentSpec
from modelramp.api.modelversion import ModelVersionSpec
from unit.examples.processes import environment, manifest, train

VERSIONS = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")


def artifact(out: Path, version: str) -> Artifact:
    """The artifact that the training wrote for a version."""
    return Artifact.model_validate_json((out / "artifacts" / f"digits-{version}.json").read_bytes())


@pytest.mark.parametrize("version", VERSIONS)
def test_digest_of_the_manifest_is_that_of_the_file(trained: Path, version: str) -> None:
    """What a manifest registers is the sha256 and size of the file its URI names."""
    (registered,) = manifest(trained, version)["spec"]["artifacts"]
    content = Path(unquote(urlsplit(registered["uri"]).path)).read_bytes()
    assert registered["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert registered["sizeBytes"] == len(content)


def test_training_again_gives_the_same_digests(trained: Path, tmp_path: Path) -> None:
    """Another run, in another folder, writes the same bytes; the versions differ from each other."""
    train(tmp_path)
    first = [manifest(trained, version)["spec"]["artifacts"][0]["digest"] for version in VERSIONS]
    second = [manifest(tmp_path, version)["spec"]["artifacts"][0]["digest"] for version in VERSIONS]
    assert first == second
    assert len(set(first)) == len(VERSIONS)


def test_a_better_version_is_better_on_unseen_rows(trained: Path) -> None:
    """1.1.0 reads more held-out digits right than 1.0.0, and neither fails on any or asks anyone."""
    held_out = dataset.load().held_out
    old, new = (measure(artifact(trained, version), held_out) for version in ("1.0.0", "1.1.0"))
    assert new["accuracy"] > old["accuracy"] + 0.05
    assert [old["failing"], new["failing"], old["asking"], new["asking"]] == [0, 0, 0, 0]


def test_a_third_of_real_rows_crash_2_0_0(trained: Path) -> None:
    """Of the rows that are sent as requests, and of those trained on, about a third meet the fault."""
    split = dataset.load()
    assert 0.30 <= measure(artifact(trained, "2.0.0"), split.held_out)["failing"] <= 0.36
    assert 0.30 <= measure(artifact(trained, "2.0.0"), split.train)["failing"] <= 0.37


def test_2_1_0_is_slow_for_enough_rows(trained: Path) -> None:
    """At least 30 % of the rows wait for the second reader, who takes over 500 ms."""
    slow = artifact(trained, "2.1.0")
    assert measure(slow, dataset.load().held_out)["asking"] >= 0.30
    assert slow.second_reader
    assert slow.second_reader.latency_seconds > 0.5


@pytest.mark.parametrize("version", VERSIONS)
def test_model_version_manifests_are_valid(trained: Path, version: str) -> None:
    """The API accepts each ModelVersion, whose name is <model>-<version>."""
    found = manifest(trained, version)
    spec = ModelVersionSpec.model_validate(found["spec"])
    assert found["metadata"]["name"] == f"{spec.model}-{spec.version}" == f"digits-{version}"


def test_model_deployment_manifest_is_valid(trained: Path) -> None:
    """The API accepts the ModelDeployment, whose container can import the server from where it lies."""
    spec = ModelDeploymentSpec.model_validate(
        yaml.safe_load((trained / "modeldeployment.yaml").read_text())["spec"]
    )
    (container,) = spec.workload.template.spec["containers"]
    paths = [variable["value"] for variable in container["env"] if variable["name"] == "PYTHONPATH"]
    assert [(Path(path) / "digits" / "server" / "__main__.py").is_file() for path in paths] == [True]


def test_training_without_a_folder_says_how_to_use_it() -> None:
    """Wrong usage exits with 2 and the usage."""
    command = [sys.executable, "-m", "digits.train"]
    done = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: python -m digits.train OUT_DIR\n")
