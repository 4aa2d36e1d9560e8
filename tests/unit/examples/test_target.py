"""Requests cannot leave the machine."""

from __future__ import annotations

import ipaddress

import pytest

from digits.target import LOOPBACK, TargetError, check, has_default_route, pod_network

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
POD_ONLY = HEAD + "veth1\t0200F40A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
WITH_UPLINK = POD_ONLY + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
PODS = ipaddress.IPv4Network("10.244.0.0/16")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.3", "localhost"])
def test_loopback_is_allowed(host: str) -> None:
    """Any loopback address, and localhost as an address."""
    assert ipaddress.IPv4Address(check(f"http://{host}:8080/predict").host or "") in LOOPBACK


@pytest.mark.parametrize(
    "url",
    [
        "http://10.244.0.7:8080/predict",
        "http://192.168.1.1/predict",
        "http://203.0.113.9/predict",
        "http://example.com/predict",
        "http://127.0.0.1.example.com/predict",
        "http://127.0.0.1@203.0.113.9/predict",
        "http://0.0.0.0:8080/predict",
        "https://127.0.0.1/predict",
        "/predict",
        "http://[bad/predict",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Pods without the flag, foreign addresses, names that may lead anywhere, other schemes."""
    with pytest.raises(TargetError, match="predict"):
        check(url)


def test_pods_are_allowed_where_there_is_no_way_out() -> None:
    """In a namespace without a default route the pod network is allowed, and nothing beside it."""
    allowed = [LOOPBACK, pod_network("10.244.0.0/16", routes=POD_ONLY)]
    assert check("http://10.244.0.7:8080/predict", allowed=allowed).host == "10.244.0.7"
    with pytest.raises(TargetError, match=r"not within 127\.0\.0\.0/8 or 10\.244\.0\.0/16"):
        check("http://10.245.0.7:8080/predict", allowed=allowed)


def test_pods_are_refused_where_a_default_route_leads_out() -> None:
    """On the host the same flag is refused: its default route would carry the requests away."""
    assert has_default_route(WITH_UPLINK)
    with pytest.raises(TargetError, match="default route"):
        pod_network("10.244.0.0/16", routes=WITH_UPLINK)


@pytest.mark.parametrize("text", ["192.168.0.0/16", "0.0.0.0/0", "8.0.0.0/6", "pods"])
def test_only_private_pod_networks(text: str) -> None:
    """A network that is not within 10.0.0.0/8 is refused, whatever the routes."""
    with pytest.raises(TargetError, match=f"pod network {text}"):
        pod_network(text, routes=POD_ONLY)
