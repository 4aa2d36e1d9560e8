"""Istio: a VirtualService of our own, one destination for each revision's Service.

Retries are off unless asked for: they hide a candidate's errors, and multiply them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.api.base import format_time, parse_time
from modelramp.rollout.facts import RouteState, StepMark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.rollout.plan import RoutePlan

API_VERSION = "networking.istio.io/v1"
KIND = "VirtualService"
STEP_ANNOTATION = "modelramp.dev/step"
ROUTE_NAME = "modelramp"
VERSION_HEADER = "x-model-version"
REVISION_HEADER = "x-model-revision"
MANAGER = "modelramp"


def render(plan: RoutePlan, *, namespace: str, name: str) -> dict[str, Any]:
    """The VirtualService, without owner and labels. Weights are whole percents that sum to 100."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {STEP_ANNOTATION: write_mark(plan.mark)},
        },
        "spec": {
            "hosts": list(plan.hosts),
            "gateways": list(plan.gateways),
            "http": [
                {
                    "name": ROUTE_NAME,
                    "retries": {"attempts": 0},
                    "route": [
                        {
                            "destination": {
                                "host": f"{item.revision.service}.{namespace}.svc.cluster.local",
                                "port": {"number": item.revision.port},
                            },
                            "weight": item.weight,
                            "headers": {
                                "response": {
                                    "set": {
                                        VERSION_HEADER: item.revision.version,
                                        REVISION_HEADER: item.revision.name,
                                    }
                                }
                            },
                        }
                        for item in plan.destinations
                    ],
                }
            ],
        },
    }


def read(body: Mapping[str, Any]) -> RouteState:
    """What a VirtualService says now. Destinations that are not ours keep their full host as name."""
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    suffix = f".{metadata.get('namespace')}.svc.cluster.local"
    weights: dict[str, int] = {}
    routes = [route for http in spec.get("http") or [] for route in http.get("route") or []]
    for route in routes:
        host = str((route.get("destination") or {}).get("host", ""))
        # Istio reads a single destination without a weight as all of it.
        weight = int(route.get("weight", 100 if len(routes) == 1 else 0))
        weights[host.removesuffix(suffix)] = weights.get(host.removesuffix(suffix), 0) + weight
    annotations = metadata.get("annotations") or {}
    return RouteState(
        weights=weights,
        mark=read_mark(annotations.get(STEP_ANNOTATION)),
        edited=_edited(metadata),
        hosts=tuple(spec.get("hosts") or ()),
        gateways=tuple(spec.get("gateways") or ()),
    )


def write_mark(mark: StepMark) -> str:
    """`<rollout>/<index>@<time>`: the acknowledgement that a hold is counted from."""
    return f"{mark.scope}@{format_time(mark.time)}"


def read_mark(text: str | None) -> StepMark | None:
    """The inverse of `write_mark`; None for anything else."""
    scope, _, moment = (text or "").rpartition("@")
    try:
        return StepMark(scope=scope, time=parse_time(moment)) if scope else None
    except ValueError:
        return None


def hosts(body: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Gateway and full host of all that a VirtualService routes: what two of them may collide in."""
    spec, namespace = body.get("spec") or {}, (body.get("metadata") or {}).get("namespace", "")
    gateways = spec.get("gateways") or ["mesh"]
    return frozenset(
        (_full_gateway(gateway, namespace), _full_host(host, namespace))
        for gateway in gateways
        for host in spec.get("hosts") or []
    )


def wanted_hosts(deployment: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """The same of the route that a ModelDeployment asks for: its apex Service, and the hosts of the user."""
    metadata = deployment["metadata"]
    traffic = ((deployment.get("spec") or {}).get("traffic") or {}).get("istio") or {}
    names = [metadata["name"], *(traffic.get("hosts") or [])]
    gateways = ["mesh", *(traffic.get("gateways") or [])]
    return hosts({"metadata": metadata, "spec": {"hosts": names, "gateways": gateways}})


def _full_gateway(gateway: str, namespace: str) -> str:
    return gateway if gateway == "mesh" or "/" in gateway else f"{namespace}/{gateway}"


def _full_host(host: str, namespace: str) -> str:
    """A short name is a Service of the VirtualService's own namespace."""
    return host if "." in host or host == "*" else f"{host}.{namespace}.svc.cluster.local"


def _edited(metadata: Mapping[str, Any]) -> datetime | None:
    times = [
        parse_time(entry["time"])
        for entry in metadata.get("managedFields") or []
        if entry.get("manager") != MANAGER and entry.get("time")
    ]
    return max(times, default=None)
