"""The ingress gateway: Envoy as a Deployment, programmed by istiod, with Istio's own ports and statistics."""

from __future__ import annotations

import json
from typing import Any

from devcluster import netns, parts

NAMESPACE = "istio-ingress"
# The first gateway pod gets this address, so that the host's port forward knows where to go.
ADDRESS = "10.244.0.80"
HTTP_PORT = 18080
_NAME = "istio-ingressgateway"
_LABELS = {"app": _NAME, "istio": "ingressgateway"}
_HTTP_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _cluster(name: str, address: str, port: int) -> dict[str, Any]:
    endpoint = {"address": {"socket_address": {"address": address, "port_value": port}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _admin_listener(name: str, port: int, path: str, admin_path: str) -> dict[str, Any]:
    """Publish one path of Envoy's admin interface on a port of its own."""
    route = {"match": {"prefix": path}, "route": {"cluster": "admin", "prefix_rewrite": admin_path}}
    manager = {
        "@type": _HTTP_MANAGER,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104 - its own namespace
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def bootstrap() -> dict[str, Any]:
    """Envoy's bootstrap; $(POD_IP) and $(POD_NAME) are filled in by the node agent."""
    http2: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}
    istiod = _cluster("xds-grpc", netns.NODE_ADDRESS, parts.ISTIOD_GRPC_PORT) | {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": _HTTP_OPTIONS, **http2}
        }
    }
    return {
        "node": {
            "id": f"router~$(POD_IP)~$(POD_NAME).{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": f"{_NAME}.{NAMESPACE}",
            "metadata": {
                "CLUSTER_ID": "Kubernetes",
                "NAMESPACE": NAMESPACE,
                "LABELS": _LABELS,
                "ISTIO_VERSION": "1.31.0",
                "INSTANCE_IPS": "$(POD_IP)",
            },
        },
        # As in Istio's own bootstrap: series carry the whole cluster name in the label `cluster_name`.
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": [
                {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
                {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
                {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
            ],
        },
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 15000}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [istiod, _cluster("admin", "127.0.0.1", 15000)],
            "listeners": [
                _admin_listener("stats", 15090, "/stats/prometheus", "/stats/prometheus"),
                _admin_listener("ready", 15021, "/healthz/ready", "/ready"),
            ],
        },
    }


def _deployment() -> dict[str, Any]:
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    container = {
        "name": "istio-proxy",
        "image": "envoy",
        "command": ["envoy"],
        "args": ["--config-yaml", json.dumps(bootstrap()), "--concurrency", "2", "--log-level", "warning"],
        "env": env,
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "http-envoy-prom", "containerPort": 15090},
        ],
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}, "periodSeconds": 1},
    }
    annotations = {"devcluster.modelramp.dev/pod-ip": ADDRESS}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS, "annotations": annotations},
                "spec": {
                    "containers": [container],
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 2,
                },
            },
        },
    }


def manifests() -> list[dict[str, Any]]:
    """The gateway's objects; the namespace must exist."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": _LABELS,
            "ports": [
                {"name": "http2", "port": 80, "targetPort": HTTP_PORT},
                {"name": "http-alt", "port": 81, "targetPort": HTTP_PORT + 1},
            ],
        },
    }
    main = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "main", "namespace": NAMESPACE},
        "spec": {
            "selector": {"istio": "ingressgateway"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        },
    }
    return [service, main, _deployment()]
