"""The command lines and configuration of each part: what is set, and why where it is not obvious."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devcluster import builds, netns

if TYPE_CHECKING:
    from devcluster.instance import Instance

ISTIOD_HTTP_PORT = 15080
ISTIOD_GRPC_PORT = 15010
PROMETHEUS_PORT = 9090
KUBELET_PORT = 10250
_ETCD = "http://127.0.0.1:2379"
_ISSUER = "https://kubernetes.default.svc.cluster.local"


def etcd(instance: Instance) -> list[str]:
    """One member without fsync: the data lives as long as the instance."""
    return [
        str(builds.program("etcd", "etcd")),
        "--name=default",
        f"--data-dir={instance.folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=default=http://127.0.0.1:2380",
        "--log-level=warn",
    ]


def api_server(instance: Instance) -> list[str]:
    """The API server; pods reach it at the node address."""
    pki = instance.pki
    return [
        str(builds.program("kube", "kube-apiserver")),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={netns.NODE_ADDRESS}",
        # The reconciler would take the advertised address for one of several API servers and publish it.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
        f"--audit-policy-file={instance.folder / 'audit-policy.yaml'}",
        f"--audit-log-path={instance.audit_log}",
        "--profiling=false",
    ]


_READING = ["get", "list", "watch"]

AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # What the operator reads is counted, too.
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:modelramp-system"], "verbs": _READING},
        {"level": "None", "verbs": _READING},
        # What was written to these is evidence in tests: weights, spec.rollback, status.
        {
            "level": "Request",
            "resources": [
                {"group": "modelramp.dev"},
                {"group": "networking.istio.io"},
                {"group": "gateway.networking.k8s.io"},
            ],
        },
        {"level": "Metadata"},
    ],
}


def controller_manager(instance: Instance) -> list[str]:
    """All built-in controllers."""
    return [
        str(builds.program("kube", "kube-controller-manager")),
        f"--kubeconfig={instance.folder / 'kubeconfigs' / 'kube-controller-manager'}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={instance.pki / 'service-accounts.key'}",
        f"--root-ca-file={instance.pki / 'ca.crt'}",
        # A laden machine delays leases; a node must not be taken for lost because of that.
        "--node-monitor-grace-period=180s",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler(instance: Instance) -> list[str]:
    """The default scheduler with its default plugins."""
    return [
        str(builds.program("kube", "kube-scheduler")),
        f"--kubeconfig={instance.folder / 'kubeconfigs' / 'kube-scheduler'}",
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def istiod(instance: Instance) -> list[str]:
    """Istiod without certificate authority, injection and webhooks."""
    return [
        str(builds.program("istio", "pilot-discovery")),
        "discovery",
        f"--kubeconfig={instance.folder / 'kubeconfigs' / 'istiod'}",
        "--registries=Kubernetes",
        "--clusterID=Kubernetes",
        "--namespace=istio-system",
        "--domain=cluster.local",
        f"--meshConfig={instance.folder / 'mesh.yaml'}",
        f"--httpAddr=127.0.0.1:{ISTIOD_HTTP_PORT}",
        f"--grpcAddr={netns.NODE_ADDRESS}:{ISTIOD_GRPC_PORT}",
        "--monitoringAddr=127.0.0.1:15014",
        "--httpsAddr=",
        "--secureGRPCAddr=",
        "--ctrlz_port=0",
        "--log_output_level=default:warn",
    ]


ISTIOD_ENVIRONMENT = {
    "ENABLE_CA_SERVER": "false",
    "PILOT_CERT_PROVIDER": "none",
    "INJECT_ENABLED": "false",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "XDS_AUTH": "false",
    "PILOT_SKIP_VALIDATE_TRUST_DOMAIN": "true",
    "PILOT_ENABLE_GATEWAY_API": "true",
    "PILOT_ENABLE_GATEWAY_API_STATUS": "true",
    "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
    # Routes take effect after 30 ms instead of 125 ms.
    "PILOT_DEBOUNCE_AFTER": "10ms",
    "POD_NAME": "istiod-0",
    "POD_NAMESPACE": "istio-system",
    "REVISION": "default",
    "CLUSTER_ID": "Kubernetes",
}

MESH_CONFIG: dict[str, Any] = {
    "enableAutoMtls": False,
    "enableTracing": False,
    "ingressControllerMode": "OFF",
}


def prometheus(instance: Instance) -> list[str]:
    """Prometheus with a short memory."""
    return [
        str(builds.program("prometheus", "prometheus")),
        f"--config.file={instance.folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={instance.folder / 'prometheus'}",
        "--storage.tsdb.retention.time=6h",
        f"--web.listen-address={netns.NODE_ADDRESS}:{PROMETHEUS_PORT}",
        "--log.level=warn",
    ]


def _relabel(source: list[str], **rule: str) -> dict[str, Any]:
    return {"source_labels": source, **rule}


def prometheus_config(instance: Instance, *, scrape_interval: str) -> dict[str, Any]:
    """Scrape annotated pods, and the gateways' Envoys with `cluster_name` as real Istio proxies have it.

    Args:
        instance: whose pods.
        scrape_interval: a Prometheus duration, e.g. `1s`.
    """
    meta = "__meta_kubernetes_pod"
    discovery = [{"role": "pod", "kubeconfig_file": str(instance.folder / "kubeconfigs" / "prometheus")}]
    names = [
        _relabel([f"{meta}_phase"], regex="Pending|Succeeded|Failed", action="drop"),
        _relabel(["__meta_kubernetes_namespace"], target_label="namespace"),
        _relabel([f"{meta}_name"], target_label="pod"),
        _relabel([f"{meta}_label_app"], target_label="app"),
        {
            "regex": f"{meta}_label_modelramp_dev_(.+)",
            "action": "labelmap",
            "replacement": "modelramp_dev_$1",
        },
    ]
    annotated = [
        _relabel([f"{meta}_annotation_prometheus_io_scrape"], regex="true", action="keep"),
        _relabel([f"{meta}_container_port_name"], regex="http-envoy-prom", action="drop"),
        _relabel([f"{meta}_annotation_prometheus_io_path"], regex="(.+)", target_label="__metrics_path__"),
        _relabel(
            [f"{meta}_ip", f"{meta}_annotation_prometheus_io_port"],
            separator=":",
            regex=r"(.+:\d+)",
            target_label="__address__",
        ),
        *names,
    ]
    envoys = [_relabel([f"{meta}_container_port_name"], regex="http-envoy-prom", action="keep"), *names]
    return {
        "global": {"scrape_interval": scrape_interval, "scrape_timeout": scrape_interval},
        "scrape_configs": [
            {"job_name": "pods", "kubernetes_sd_configs": discovery, "relabel_configs": annotated},
            {
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                # Without the filter a page has 5,300 lines, nearly all of them zeros.
                "params": {"usedonly": [""], "filter": [r"^(cluster\.outbound|http\.outbound)"]},
                "kubernetes_sd_configs": discovery,
                "relabel_configs": envoys,
            },
        ],
    }
