"""The objects that are rolled out: as small as they can be, with pods that only report status."""

from __future__ import annotations

from typing import Any

NAMESPACE = "bench"
MODEL = "bench"
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


def name(number: int) -> str:
    """Of the ModelDeployment of that number."""
    return f"d{number:04}"


def version(text: str) -> dict[str, Any]:
    """A ModelVersion."""
    artifact = {"role": "model", "uri": f"s3://models/{MODEL}/{text}", "digest": "sha256:" + "0" * 64}
    return {
        "apiVersion": "modelramp.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": f"{MODEL}-{text}"},
        "spec": {
            "model": MODEL,
            "version": text,
            "modelFormat": {"name": "onnx", "version": "1"},
            "artifacts": [artifact],
        },
    }


def steps(*weights: int, hold: str) -> dict[str, Any]:
    """`spec.strategy`."""
    return {"type": "Canary", "steps": [{"weight": weight, "hold": hold} for weight in weights]}


def deployment(number: int) -> dict[str, Any]:
    """A ModelDeployment with one replica, steps of 45, 50, 55 and 100 %, and two metrics each second."""
    template = {
        "metadata": {"annotations": {"devcluster.modelramp.dev/status-only": "true"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "server", "image": "example.com/server:1"}],
        },
    }
    return {
        "apiVersion": "modelramp.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name(number)},
        "spec": {
            "model": MODEL,
            "version": VERSIONS[0],
            "replicas": 1,
            "workload": {"template": template},
            "traffic": {
                "istio": {"hosts": [f"{name(number)}.example.com"], "gateways": ["istio-ingress/main"]}
            },
            "strategy": steps(45, 50, 55, hold="10s"),
            "analysis": {
                "interval": "1s",
                "metrics": [
                    {"name": "error-rate", "limit": 0.05, "criticalLimit": 0.10},
                    {"name": "latency", "limit": 0.05},
                ],
            },
            "rollbackPolicy": {"keepPrevious": "5s"},
            "drain": "3s",
        },
    }
