"""Where requests may be sent: this machine, or the pods of a network namespace without a way out."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterable

Network: TypeAlias = ipaddress.IPv4Network

LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
PRIVATE = ipaddress.IPv4Network("10.0.0.0/8")
_ROUTES = Path("/proc/self/net/route")


class TargetError(ValueError):
    """Requests must not be sent there; the message says why and what to do."""


def has_default_route(table: str) -> bool:
    """Whether a routing table, in the form of `/proc/net/route`, leads anywhere else."""
    rows = (line.split() for line in table.splitlines()[1:])
    # Columns: interface, destination, gateway, flags, count, use, metric, mask.
    return any(row[1] == row[7] == "00000000" for row in rows if len(row) > 7)  # noqa: PLR2004


def pod_network(text: str, *, routes: str | None = None) -> Network:
    """The network written as `text`, if it is private and only reachable inside this namespace.

    Args:
        text: for example `10.244.0.0/16`.
        routes: the routing table; left out, that of this process.

    Raises:
        TargetError: it is not within 10.0.0.0/8, or a default route would carry the requests away.
    """
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise TargetError(f"pod network {text}: {error}; write it as 10.244.0.0/16") from error
    if not network.subnet_of(PRIVATE):
        raise TargetError(f"pod network {text} is not within {PRIVATE}")
    if has_default_route(_ROUTES.read_text(encoding="ascii") if routes is None else routes):
        raise TargetError(
            f"pod network {text}: this network namespace has a default route, so requests could leave the"
            " machine; run inside the cluster's namespace (nsenter --net=…)"
        )
    return network


def check(url: str, *, allowed: Iterable[Network] = (LOOPBACK,)) -> URL:
    """The parsed URL, if it is plain HTTP to an address within `allowed`.

    Raises:
        TargetError: anything else; names other than localhost too, since a name may lead anywhere.
    """
    networks = tuple(allowed)
    try:
        parsed = URL(url)
    except ValueError as error:
        raise TargetError(f"{url}: {error}") from error
    if parsed.scheme != "http" or parsed.host is None:
        raise TargetError(f"{url}: write it as http://127.0.0.1:8080/predict")
    try:
        address = ipaddress.IPv4Address("127.0.0.1" if parsed.host == "localhost" else parsed.host)
    except ValueError as error:
        raise TargetError(f"{url}: {parsed.host} is not an IPv4 address; give the address itself") from error
    if not any(address in network for network in networks):
        raise TargetError(
            f"{url}: {address} is not within {' or '.join(map(str, networks))}; only loopback is allowed, and"
            " inside a cluster's namespace its pods (--pod-network 10.244.0.0/16)"
        )
    return parsed.with_host(str(address))
