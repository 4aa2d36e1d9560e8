"""A revision as a Deployment and a Service made from the pod template, and the apex Service.

A revision's pod template is written once, at its creation. Replicas have their own field manager, so that an
apply of the one never drops the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.workloads import labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.rollout.plan import CreateRevision, Scale, WriteApex
    from modelramp.rollout.revision import Revision


def render_deployment(effect: CreateRevision, *, namespace: str, deployment: str) -> dict[str, Any]:
    """The Deployment, without owner and replicas."""
    revision = effect.revision
    template = revision.template
    metadata = template.get("metadata") or {}
    own = labels.common(deployment) | {
        labels.REVISION: revision.name,
        labels.VERSION: revision.version,
    }
    pods: dict[str, Any] = {"labels": {**(metadata.get("labels") or {}), **own}}
    if metadata.get("annotations"):
        pods["annotations"] = dict(metadata["annotations"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": revision.service,
            "namespace": namespace,
            "labels": own,
            "annotations": {labels.DIGEST: revision.digest, labels.PORT: str(revision.port)},
        },
        "spec": {
            "selector": {"matchLabels": {key: own[key] for key in (labels.DEPLOYMENT, labels.REVISION)}},
            "template": {"metadata": pods, "spec": _with_environment(template["spec"], revision.environment)},
        },
    }


def _with_environment(spec: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The pod specification with our variables first, so that the user's own may refer to them and win."""
    made = dict(spec)
    for group in ("initContainers", "containers"):
        if spec.get(group):
            made[group] = [_container(container, environment) for container in spec[group]]
    return made


def _container(container: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    own = container.get("env") or []
    named = {entry.get("name") for entry in own}
    ours = [{"name": name, "value": value} for name, value in environment.items() if name not in named]
    return {**container, "env": [*ours, *own]}


def render_service(revision: Revision, *, namespace: str, deployment: str) -> dict[str, Any]:
    """The revision's own Service: what the route sends to and what the metrics are named after."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": revision.service,
            "namespace": namespace,
            "labels": labels.common(deployment)
            | {labels.REVISION: revision.name, labels.VERSION: revision.version},
        },
        "spec": _service_spec(revision, deployment=deployment),
    }


def render_apex(effect: WriteApex, *, namespace: str, deployment: str) -> dict[str, Any]:
    """The Service named like the ModelDeployment; it selects stable, and so remembers it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": deployment,
            "namespace": namespace,
            "labels": {labels.APEX: deployment, labels.MANAGED_BY: "modelramp"},
            "annotations": {labels.STABLE: effect.revision.name},
        },
        "spec": _service_spec(effect.revision, deployment=deployment),
    }


def _service_spec(revision: Revision, *, deployment: str) -> dict[str, Any]:
    return {
        "selector": {labels.DEPLOYMENT: deployment, labels.REVISION: revision.name},
        # The name tells Istio the protocol.
        "ports": [{"name": "http", "port": revision.port, "targetPort": revision.port, "protocol": "TCP"}],
    }


def render_scale(effect: Scale, *, namespace: str) -> dict[str, Any]:
    """Only the replicas, for the field manager of their own."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": effect.revision.service, "namespace": namespace},
        "spec": {"replicas": effect.replicas},
    }
