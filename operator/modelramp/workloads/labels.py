"""Who owns what: the owner reference and the labels of every child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.api.labels import APEX, DEPLOYMENT, DIGEST, MANAGED_BY, PORT, REVISION, STABLE, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping


def owner(body: Mapping[str, Any]) -> dict[str, Any]:
    """The owner reference to a ModelDeployment: what it owns goes with it."""
    metadata = body["metadata"]
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(body: Mapping[str, Any], uid: str) -> bool:
    """Whether an object belongs to the owner of this uid; a namesake of another owner does not."""
    references = (body.get("metadata") or {}).get("ownerReferences") or []
    return any(reference.get("uid") == uid and reference.get("controller") for reference in references)


def common(deployment: str) -> dict[str, str]:
    """Labels of every child."""
    return {DEPLOYMENT: deployment, MANAGED_BY: "modelramp"}


__all__ = [
    "APEX",
    "DEPLOYMENT",
    "DIGEST",
    "MANAGED_BY",
    "PORT",
    "REVISION",
    "STABLE",
    "VERSION",
    "common",
    "owned_by",
    "owner",
]
