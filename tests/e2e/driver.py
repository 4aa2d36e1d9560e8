"""One rollout on the real control plane, as a user, a client of the model and a watcher see it.

A namespace for each test, the real model server, real requests through the real Envoy, and a watch on the
route that sees every write.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import yaml
from kubernetes import client, config, watch

from digits.target import LOOPBACK, pod_network
from digits.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devcluster import Cluster
    from digits.counts import Answer

NAME = "digits"
GROUP = "modelramp.dev"
ISTIO = "networking.istio.io"
VERSION_HEADER = "x-model-version"


@dataclass(frozen=True)
class RouteWrite:
    """One state of the route that a watch saw.

    Attributes:
        at: Unix time in seconds at which the watch told it.
        weights: percent by version of the model.
    """

    at: float
    weights: dict[str, int]


class Driver:
    """Does what users do, and sees what users see."""

    def __init__(self, cluster: Cluster, models: Path, namespace: str) -> None:
        self.cluster = cluster
        self.models = models
        self.namespace = namespace
        self.host = f"{namespace}.example.com"
        load: Any = config.new_client_from_config
        api = load(str(cluster.kubeconfig()))
        # Objects are read as they go over the wire; the library's models would only be in the way.
        self.custom: Any = client.CustomObjectsApi(api)
        self.core: Any = client.CoreV1Api(api)
        self.apps: Any = client.AppsV1Api(api)
        self.writes: list[RouteWrite] = []
        self.unrouted: float | None = None
        self._load: _Load | None = None
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._stop = threading.Event()
        self._version = ""

    def __enter__(self) -> Self:
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._load:
            self._load.stop()
        self._stop.set()
        try:
            self.core.delete_namespace(self.namespace)
        except client.ApiException as error:
            # A test may have been quicker.
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    # -- given ---------------------------------------------------------------------------------------------

    def deployment(
        self,
        version: str,
        *,
        hold: str = "4s",
        weights: tuple[int, ...] = (5, 20, 50),
        **spec: Any,  # noqa: ANN401 - JSON
    ) -> None:
        """Registers all versions, deploys one, and waits until it serves."""
        for file in sorted((self.models / "modelversions").glob("*.yaml")):
            body = yaml.safe_load(file.read_text())
            self.custom.create_namespaced_custom_object(
                GROUP, "v1alpha1", self.namespace, "modelversions", body
            )
        body = yaml.safe_load((self.models / "modeldeployment.yaml").read_text())
        body["spec"]["version"] = version
        body["spec"]["traffic"]["istio"]["hosts"] = [self.host]
        body["spec"]["strategy"]["steps"] = [{"weight": weight, "hold": hold} for weight in weights]
        body["spec"] |= {"drain": "3s", "rollbackPolicy": {"keepPrevious": "5s"}, **spec}
        self.custom.create_namespaced_custom_object(
            GROUP, "v1alpha1", self.namespace, "modeldeployments", body
        )
        self.until(lambda: self.serving == version, 60, f"{version} serves")

    def traffic(self, rps: float = 100, seconds: float = 300, *, within: float = 20) -> None:
        """Steady requests from now on; every one is remembered with its time."""
        self._load = _Load(f"{self.cluster.gateway_url}/predict", self.host, rps, seconds)
        self._load.start()
        self.until(lambda: any(answer.status == 200 for answer in self.answers()), within, "first answer")

    # -- when ----------------------------------------------------------------------------------------------

    def patch(self, spec: dict[str, Any]) -> None:
        """`kubectl patch mdep … --type=merge`."""
        self.custom.patch_namespaced_custom_object(
            GROUP, "v1alpha1", self.namespace, "modeldeployments", NAME, {"spec": spec}
        )

    def version(self, version: str) -> None:
        """Wants another version."""
        self.patch({"version": version})

    def request(self, text: str) -> None:
        """A request by annotation."""
        body = {"metadata": {"annotations": {"modelramp.dev/request": text}}}
        self.custom.patch_namespaced_custom_object(
            GROUP, "v1alpha1", self.namespace, "modeldeployments", NAME, body
        )

    def edit_route(self, weights: list[int]) -> None:
        """Somebody changes the weights by hand."""
        body = self.route_body
        for item, weight in zip(body["spec"]["http"][0]["route"], weights, strict=True):
            item["weight"] = weight
        self.custom.replace_namespaced_custom_object(
            ISTIO, "v1", self.namespace, "virtualservices", NAME, body
        )

    # -- then ----------------------------------------------------------------------------------------------

    def until(self, true: Callable[[], bool], seconds: float, what: str) -> float:
        """Waits for something, and gives the Unix time at which it was seen.

        Raises:
            AssertionError: it did not come; with the state of things.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                return time.time()
            time.sleep(0.05)
        state = {key: self.status.get(key) for key in ("phase", "summary", "analysis", "candidate")}
        raise AssertionError(
            f"not within {seconds} s: {what}; {json.dumps(state, indent=1)}; route {self.weights}"
        )

    def never(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Something does not happen for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert not true(), what
            time.sleep(0.1)

    @property
    def body(self) -> dict[str, Any]:
        """The ModelDeployment."""
        found: dict[str, Any] = self.custom.get_namespaced_custom_object(
            GROUP, "v1alpha1", self.namespace, "modeldeployments", NAME
        )
        return found

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.body.get("status") or {}
        return found

    @property
    def serving(self) -> str | None:
        """The version that is stable."""
        found: str | None = (self.status.get("stable") or {}).get("version")
        return found

    def condition(self, name: str) -> dict[str, Any]:
        """One of the conditions."""
        found: dict[str, Any] = next(item for item in self.status["conditions"] if item["type"] == name)
        return found

    @property
    def route_body(self) -> dict[str, Any]:
        """The VirtualService."""
        found: dict[str, Any] = self.custom.get_namespaced_custom_object(
            ISTIO, "v1", self.namespace, "virtualservices", NAME
        )
        return found

    @property
    def weights(self) -> dict[str, int]:
        """Percent by version, as the last write that the watch saw says."""
        return self.writes[-1].weights if self.writes else {}

    def share(self, version: str) -> int:
        """Percent of one version now."""
        return self.weights.get(version, 0)

    def write(self, version: str, weight: int, *, after: float = 0.0) -> RouteWrite:
        """The first write that gave a version that weight."""
        return next(w for w in self.writes if w.at >= after and w.weights.get(version, 0) == weight)

    def replicas(self, version: str) -> int:
        """Replicas asked for of a version."""
        found = self.apps.list_namespaced_deployment(
            self.namespace, label_selector=f"modelramp.dev/version={version}"
        )
        return int(sum(item.spec.replicas for item in found.items))

    def pods(self, version: str) -> dict[str, int]:
        """Restarts of the pods of a version, by uid."""
        found = self.core.list_namespaced_pod(
            self.namespace, label_selector=f"modelramp.dev/version={version}"
        )
        return {
            item.metadata.uid: sum(s.restart_count for s in item.status.container_statuses or [])
            for item in found.items
            if item.metadata.deletion_timestamp is None
        }

    def reasons(self) -> list[str]:
        """Reasons of the ModelDeployment's events, in order of time."""
        found = self.custom.list_namespaced_custom_object("events.k8s.io", "v1", self.namespace, "events")
        own = [item for item in found["items"] if item["regarding"]["kind"] == "ModelDeployment"]
        return [item["reason"] for item in sorted(own, key=lambda item: item["eventTime"])]

    def answers(self, *, since: float = 0.0, before: float = float("inf")) -> list[Answer]:
        """What the client of the model got, by the time it asked."""
        assert self._load is not None, "there is no traffic"
        return [answer for answer in self._load.answers(since) if answer.sent_at < before]

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch_once()
            except client.ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                # The kind is not installed (yet).
                self._version = ""
                time.sleep(0.1)

    def _watch_once(self) -> None:
        watcher: Any = watch.Watch
        stream = watcher().stream(
            self.custom.list_namespaced_custom_object,
            ISTIO,
            "v1",
            self.namespace,
            "virtualservices",
            timeout_seconds=5,
            resource_version=self._version or None,
        )
        for event in stream:
            body = event["object"]
            self._version = body["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self.unrouted = time.time()
                continue
            weights = {
                item["headers"]["response"]["set"][VERSION_HEADER]: item["weight"]
                for item in body["spec"]["http"][0]["route"]
            }
            self.writes.append(RouteWrite(at=time.time(), weights=weights))


class _Load(threading.Thread):
    """The traffic client on an event loop of its own, beside the test."""

    def __init__(self, url: str, host: str, rps: float, seconds: float) -> None:
        super().__init__(daemon=True)
        self._traffic = Traffic(
            url=url,
            host=host,
            rps=rps,
            seconds=seconds,
            max_requests=int(rps * seconds),
            labels=True,
            allowed=[LOOPBACK, pod_network("10.244.0.0/16")],
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._traffic.start()
        await self._traffic.finished()

    def answers(self, since: float) -> list[Answer]:
        """Answers to requests sent at or after a Unix time."""
        return self._traffic.answers(since=since)

    def stop(self) -> None:
        """Ends it."""
        if self._loop is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._traffic.end)
            self.join(timeout=15)
