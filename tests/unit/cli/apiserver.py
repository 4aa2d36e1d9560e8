"""The world behind HTTP: as much of an API server as reading takes, and the ways in which it can fail."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import yaml

from support.world import KEY, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LISTS: dict[str, Callable[[World], list[dict[str, Any]]]] = {
    f"/apis/modelramp.dev/v1alpha1/namespaces/{KEY[0]}/modeldeployments": lambda world: [world.body],
    f"/apis/events.k8s.io/v1/namespaces/{KEY[0]}/events": lambda world: world.cluster.events,
}
_LIVE = f"/api/v1/namespaces/modelramp-system/services/modelramp:http/proxy/api/evidence/{KEY[0]}/{KEY[1]}"


class ApiServer:
    """Serves lists of a world on loopback, between `with` and its end.

    Attributes:
        refusal: status and reason of every answer; None: it answers.
        live: the operator behind its Service: status and body; None: there is no such Service.
        asked: set by every request.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.refusal: tuple[int, str] | None = None
        self.live: Callable[[], tuple[int, Any]] | None = None
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.empty = False
        self.asked = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listens, at the same port as before if there was one."""
        serve = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = serve._answer(urlsplit(self.path).path)
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Does not listen any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def forget(self) -> None:
        """Somebody deletes everything."""
        self.empty = True

    def kubeconfig(self, path: Path, *, namespace: str | None = KEY[0]) -> Path:
        """A kubeconfig for it."""
        context = {"cluster": "here", "user": "me"} | ({"namespace": namespace} if namespace else {})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "contexts": [{"name": "here", "context": context}],
            "users": [{"name": "me", "user": {}}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def _answer(self, path: str) -> tuple[int, dict[str, Any]]:
        self.asked.set()
        if self.refusal is not None:
            status, reason = self.refusal
            return status, {"kind": "Status", "reason": reason, "message": f"{reason}: no"}
        if path == _LIVE and self.live is not None:
            return self.live()
        if path.startswith("/api/v1/"):
            return 404, {"kind": "Status", "reason": "NotFound", "message": f"{path} not found"}
        if path in _LISTS and not self.empty:
            return 200, {"metadata": {}, "items": _LISTS[path](self.world)}
        return 200, {"metadata": {}, "items": []}
