"""What a user applies: ModelVersions and the ModelDeployment that the worlds without I/O are about."""

from __future__ import annotations

from typing import Any

KEY = ("shop", "fraud")
DIGEST = "sha256:" + "0" * 64


def model_version(version: str, *, changelog: str = "") -> dict[str, Any]:
    """A ModelVersion of the family fraud."""
    spec: dict[str, Any] = {
        "model": "fraud",
        "version": version,
        "modelFormat": {"name": "onnx"},
        "artifacts": [{"role": "model", "uri": f"s3://models/{version}", "digest": DIGEST}],
    }
    if changelog:
        spec["changelog"] = changelog
    return {"metadata": {"namespace": KEY[0], "name": f"fraud-{version}"}, "spec": spec}


def model_deployment(version: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The ModelDeployment fraud: steps 5, 20, 50 of a minute each, looked at each second."""
    defaults: dict[str, Any] = {
        "model": "fraud",
        "version": version,
        "replicas": 4,
        "workload": {"template": {"spec": {"containers": [{"name": "model", "image": "server:1"}]}}},
        "port": 8080,
        "traffic": {"istio": {"hosts": ["fraud.example.com"], "gateways": ["istio-ingress/main"]}},
        "strategy": {
            "type": "Canary",
            "steps": [{"weight": weight, "hold": "60s"} for weight in (5, 20, 50)],
        },
        "analysis": {
            "interval": "1s",
            "metrics": [
                {"name": "error-rate", "profile": "envoy", "limit": 0.05, "criticalLimit": 0.1},
                {"name": "latency", "profile": "envoy", "limit": 0.05},
            ],
        },
        "rollbackPolicy": {"keepPrevious": "2m"},
        "drain": "10s",
        "progressDeadline": "5m",
        "revisionHistoryLimit": 5,
    }
    return {"metadata": {"namespace": KEY[0], "name": KEY[1]}, "spec": defaults | spec}
