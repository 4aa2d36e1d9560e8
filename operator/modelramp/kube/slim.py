"""What of an object is worth keeping in memory: the cache is what an operator's memory is spent on."""

from __future__ import annotations

from typing import Any

from modelramp.kube.kinds import VIRTUAL_SERVICE, Kind
from modelramp.workloads import labels

_WHO = ("manager", "operation", "subresource", "time")
_METADATA = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations", "ownerReferences")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The part of an object that is kept; `body` itself is not changed.

    `managedFields` are cut to who wrote when (the fields themselves are most of an object's bytes), kubectl's
    copy of the whole object goes, and of a VirtualService that is not ours only metadata, hosts and gateways
    stay.
    """
    metadata = {**body["metadata"]}
    managed = metadata.pop("managedFields", None)
    if managed:
        metadata["managedFields"] = [
            {name: entry[name] for name in _WHO if name in entry} for entry in managed
        ]
    annotations = metadata.get("annotations")
    if annotations and _LAST_APPLIED in annotations:
        metadata["annotations"] = {
            name: value for name, value in annotations.items() if name != _LAST_APPLIED
        }
    if kind == VIRTUAL_SERVICE and labels.DEPLOYMENT not in metadata.get("labels", {}):
        spec = body.get("spec") or {}
        return {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {name: metadata[name] for name in _METADATA if name in metadata},
            "spec": {name: spec[name] for name in ("hosts", "gateways") if name in spec},
        }
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": metadata}
