"""Real traffic through the real Envoy, and what Prometheus sees of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from devcluster import Cluster

pytestmark = pytest.mark.cluster
_SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1
    def do_GET(self):
        body = b'# TYPE up_and_well gauge\\nup_and_well 1\\n'
        body = body if self.path == '/metrics' else os.environ['VERSION'].encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()
"""


def _version(namespace: str, version: str) -> list[dict[str, Any]]:
    """A Deployment and a Service of one version."""
    labels = {"app": "web", "version": version}
    metadata = {"name": f"web-{version}", "namespace": namespace}
    container = {
        "name": "main",
        "image": "any",
        "command": ["python", "-c", _SERVER],
        "env": [{"name": "VERSION", "value": version}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        },
    ]


def _route(namespace: str, host: str, weights: dict[str, int]) -> dict[str, Any]:
    destinations = [
        {
            "destination": {"host": f"web-{v}.{namespace}.svc.cluster.local", "port": {"number": 80}},
            "weight": weight,
        }
        for v, weight in weights.items()
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"hosts": [host], "gateways": ["istio-ingress/main"], "http": [{"route": destinations}]},
    }


def _apply(cluster: Cluster, *documents: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
    cluster.kubectl("apply", "-f", "-", stdin=text)


def _get(url: str, host: str) -> str:
    """The body of the answer, or its status if it is an error."""
    try:
        request = urllib.request.Request(url, headers={"Host": host})  # noqa: S310 - our own gateway
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        return str(error.code)


def _query(cluster: Cluster, promql: str) -> list[dict[str, Any]]:
    url = f"{cluster.prometheus_url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own Prometheus
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def test_weights_reach_real_traffic_and_prometheus(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """A VirtualService's weights hold in real requests; Prometheus counts exactly them, per version."""
    host = f"{namespace}.example"
    _apply(cluster, *_version(namespace, "v1"), *_version(namespace, "v2"))
    for version in ("v1", "v2"):
        cluster.kubectl("rollout", "status", f"deployment/web-{version}", "-n", namespace, "--timeout=60s")
    url = cluster.gateway_url
    counted: Counter[str] = Counter()

    def ask() -> str:
        answer = _get(url, host)
        counted[answer] += 1
        return answer

    _apply(cluster, _route(namespace, host, {"v1": 100}))
    eventually(lambda: ask() == "v1", what="the route in Envoy")
    assert {ask() for _ in range(50)} == {"v1"}
    _apply(cluster, _route(namespace, host, {"v1": 80, "v2": 20}))
    eventually(lambda: ask() == "v2", what="the new weights in Envoy")
    shares = Counter(ask() for _ in range(1000))
    # Four standard deviations of a binomial with n=1000 and p=0.2 are 0.0506.
    assert abs(shares["v2"] / 1000 - 0.2) < 0.0506
    _apply(cluster, _route(namespace, host, {"v2": 100}))
    eventually(lambda: {ask() for _ in range(20)} == {"v2"}, what="all traffic on v2")
    for version in ("v1", "v2"):
        name = f"outbound|80||web-{version}.{namespace}.svc.cluster.local"
        series = f'envoy_cluster_upstream_rq{{cluster_name="{name}",response_code="200"}}'
        eventually(
            lambda series=series, version=version: (
                [s["value"][1] for s in _query(cluster, series)] == [str(counted[version])]
            ),
            what=f"{series} to be {counted[version]}",
        )


def test_annotated_pods_are_scraped(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """A pod with the prometheus.io annotations is scraped, with its namespace, pod and app as labels."""
    _apply(cluster, *_version(namespace, "v1"))
    found: list[dict[str, Any]] = []

    def scraped() -> bool:
        found[:] = _query(cluster, f'up_and_well{{namespace="{namespace}"}}')
        return bool(found)

    eventually(scraped, what="the pod's series")
    (series,) = found
    assert series["metric"]["app"] == "web"
    assert series["metric"]["pod"].startswith("web-v1-")


def test_an_unknown_host_gets_a_404(cluster: Cluster, eventually: Callable[..., None]) -> None:
    """Envoy itself answers for hosts that no route has."""
    eventually(lambda: _get(cluster.gateway_url, "nobody.example") == "404")
