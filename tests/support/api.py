"""The API as a person meets it: kubectl, and the manifests that tests start from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from devcluster.cluster import KubectlError

if TYPE_CHECKING:
    from devcluster.cluster import Cluster

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
