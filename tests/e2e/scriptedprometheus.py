"""A metrics provider that says what a test wants it to: counters of gateways, right or wrong, or nothing.

It answers `query_range` over HTTP as Prometheus does, for the clusters that the query names. Its counters are
a function of time alone, so that a replay finds what was there.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 60
RESET_SECONDS = 5
LATENCY = "envoy_cluster_upstream_rq_time_bucket"


@dataclass
class ScriptedPrometheus:
    """Listens on loopback.

    Attributes:
        bad: share of failed requests by version; missing: none. A change looks as if the gateway began again.
        odd: what is wrong with the counters of a version: NaN, +Inf, reset; several: two gateways, of which
            the second has all the failures.
        hangs: accepts connections, and answers nothing.
        ahead: seconds by which its clock is ahead.
    """

    bad: dict[str, float] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    ahead: float = 0.0
    _port: int = 0
    _epoch: int = field(default_factory=lambda: int(time.time()))
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.hangs = False
        self.close()

    @property
    def url(self) -> str:
        """Where it listens, and goes on to listen when it is opened again."""
        return f"http://127.0.0.1:{self._port}"

    def clear(self) -> None:
        """Everything is well."""
        self.bad.clear()
        self.odd.clear()
        self.hangs = False
        self.ahead = 0.0

    def open(self) -> None:
        """Takes connections."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                while provider.hangs:
                    time.sleep(0.05)
                asked = {key: values[0] for key, values in form.items()}
                times = range(int(float(asked["start"])), int(float(asked["end"])) + 1, int(asked["step"]))
                result = list(provider.series(asked["query"], times))
                body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
                # Who has waited too long is gone.
                with suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(body.encode())

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(int((timestamp or time.time()) + provider.ahead))

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler

    def series(self, query: str, times: range) -> Iterator[dict[str, object]]:
        """The answer to one query, as in Prometheus' JSON."""
        (names,) = re.findall(r'cluster_name=~"([^"]*)"', query)
        for name in re.split(r"(?<!\\)\|", names):
            cluster = name.replace("\\", "")
            version = re.search(r"-(\d+)-(\d+)-(\d+)-[0-9a-f]{8}\.", cluster)
            assert version is not None, cluster
            yield from self._of(cluster, ".".join(version.groups()), times, latency=query.startswith(LATENCY))

    def _of(self, cluster: str, version: str, times: range, *, latency: bool) -> Iterator[dict[str, object]]:
        odd, failing = self.odd.get(version, ""), round(RATE * self.bad.get(version, 0.0))
        gateways = {"gateway-0": 0, "gateway-1": failing} if odd == "several" else {"gateway-0": failing}
        label = "le" if latency else "response_code_class"
        for gateway, bad in gateways.items():
            rates = {"500": RATE, "+Inf": RATE} if latency else {"2xx": RATE - bad, "5xx": bad}
            for component, rate in rates.items():
                values = [[at, self._value(at, rate, odd)] for at in times if at >= self._epoch]
                if values:
                    labels = {"cluster_name": cluster, "pod": gateway, label: component}
                    yield {"metric": labels, "values": values}

    def _value(self, at: int, rate: int, odd: str) -> str:
        if odd in ("NaN", "+Inf"):
            return odd
        past = at - self._epoch
        return str(rate * (past % RESET_SECONDS + 1 if odd == "reset" else past))
