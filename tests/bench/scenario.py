"""What is done to N ModelDeployments, and when; figures come from what the API server has logged of it."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes import client, config

from bench import audit, figures, objects, usage
from bench.provider import Provider
from e2e.operatorprocess import ROOT, OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from devcluster import Cluster

GROUP, KIND = "modelramp.dev", "modeldeployments"
ROUTES = ("networking.istio.io", "v1", objects.NAMESPACE, "virtualservices")
MOST_EDITS = 10
# Counters are a function of time: what is asked for is there at once.
INGESTION_DELAY = 0.001
SETTLE = 5.0
# The operator looks for missed deletions so long after its start, and then every 10 minutes.
FIRST_RESYNC = 30.0

Samples = dict[str, list[float]]


class Scenario:
    """Runs inside the network namespace of a control plane.

    Args:
        cluster: with the layer `kube`, the CRDs and the operator's rights.
        count: ModelDeployments.
        idle: seconds for which nothing is asked for.
    """

    def __init__(self, cluster: Cluster, *, count: int, idle: float) -> None:
        self._cluster = cluster
        self._idle = idle
        self._names = [objects.name(number) for number in range(count)]
        self._objects = [objects.deployment(number) for number in range(count)]
        load: Any = config.new_client_from_config
        self._api: Any = client.CustomObjectsApi(load(str(cluster.kubeconfig())))
        self._core: Any = client.CoreV1Api(self._api.api_client)
        self._provider = Provider()
        self._operator: OperatorProcess
        self.samples: Samples = {}

    def run(self) -> Samples:
        """All of it, once."""
        os.environ["MODELRAMP_INGESTION_DELAY"] = f"{INGESTION_DELAY}s"
        with tempfile.TemporaryDirectory() as folder, self._provider:
            self._operator = OperatorProcess(self._cluster, Path(folder), prometheus=self._provider.url)
            self._operator.start()
            started = time.monotonic()
            try:
                self._begin()
                time.sleep(max(0.0, started + FIRST_RESYNC - time.monotonic()))
                self._stay_idle()
                self._promote()
                self._reject()
                if len(self._names) == 1:
                    self._kill()
            except AssertionError as error:
                raise AssertionError(
                    f"{error}\nthe operator's last lines:\n{self._operator.tail()}"
                ) from None
            finally:
                self._operator.terminate()
        return self.samples

    # -- what is done --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._core.create_namespace({"metadata": {"name": objects.NAMESPACE}})
        for version in objects.VERSIONS:
            self._api.create_namespaced_custom_object(
                GROUP, "v1alpha1", objects.NAMESPACE, "modelversions", objects.version(version)
            )
        self._each(
            lambda body: self._api.create_namespaced_custom_object(
                GROUP, "v1alpha1", objects.NAMESPACE, KIND, body
            ),
            self._objects,
        )
        self._until(lambda status: _stable(status) == objects.VERSIONS[0], "the first version serves")

    def _stay_idle(self) -> None:
        time.sleep(SETTLE)
        begin, before = time.time(), usage.cpu(self._pid)
        time.sleep(self._idle)
        spent = usage.cpu(self._pid) - before
        self.samples["idle CPU"] = [100 * spent / self._idle]
        self.samples["idle memory"] = [usage.memory(self._pid)]
        asked = figures.requests(self._log(), begin=begin, end=begin + self._idle)
        self.samples["idle requests"] = [asked.total() * 60 / self._idle / len(self._names)]

    def _promote(self) -> None:
        version, before = objects.VERSIONS[1], usage.cpu(self._pid)
        with usage.Peak(self._pid) as peak:
            begin = self._want(version)
            self._until(
                lambda status: _stable(status) == version and not status.get("previous"), f"{version} serves"
            )
            time.sleep(SETTLE)
        self.samples["peak memory"] = [peak.mib]
        self.samples["CPU of a rollout"] = [(usage.cpu(self._pid) - before) / len(self._names)]
        log = self._log()
        for name in self._names:
            self._read_rollout(log, name, version, begin)
        routes = [figures.shares(log, name, version, since=begin) for name in self._names]
        # All of them are in a step from the last first weight to the first promotion.
        first, last = max(found[0][0] for found in routes), min(found[-1][0] for found in routes)
        asked = Counter({at: self._provider.asked[at] for at in range(int(first), int(last) + 1)})
        self._add("queries", *figures.steady(asked))
        every = figures.requests(log, begin=begin, end=time.time())
        for what, number in every.items():
            self._add(f"rollout: {what}", number / len(self._names))

    def _read_rollout(self, log: Sequence[audit.Request], name: str, version: str, begin: float) -> None:
        writes = figures.shares(log, name, version, since=begin)
        asked = next(
            r.done
            for r in log
            if r.name == name and r.resource == KIND and r.done >= begin and r.user != audit.OPERATOR
        )
        assert [share for _, share in writes] == [45, 50, 55, 100], f"{name}: {writes}"
        first, done = writes[0][0], writes[-1][0]
        prefix = f"{name}-{version.replace('.', '-')}-"
        seen = figures.ready(log, prefix, "endpointslices", before=first)
        pods = figures.ready(log, prefix, "pods/status", before=first)
        assert seen is not None, f"{name}: no EndpointSlice was written before the first weight"
        self._add("first weight", first - seen)
        if pods is not None:
            self._add("first weight after the pod", first - pods)
        self._add("first weight after the request", first - asked)
        self._add("hold", *figures.holds(writes))
        self._add("beyond the holds", done - first - 30.0)
        self._add("beyond the holds, from the request", done - asked - 30.0)
        counts = figures.requests_per_step(log, name, writes)
        self._add("requests of a step", counts.total() / 2)
        for what, number in counts.items():
            self._add(f"step: {what}", number / 2)

    def _reject(self) -> None:
        version = objects.VERSIONS[2]
        begin = self._want(version, strategy=objects.steps(45, 50, 55, hold="120s"))
        self._until(lambda status: _shown(status) == version, f"{version} has its first weight")
        time.sleep(3)
        edited = self._names[:MOST_EDITS]
        self._each(self._edit, edited)
        time.sleep(3)
        fault = int(time.time()) + 1
        self._provider.faults[version] = fault
        self._until(lambda status: "candidate" not in status, f"{version} is taken back")
        log = self._log()
        for name in self._names:
            writes = figures.shares(log, name, version, since=begin)
            assert writes[-1][1] == 0, f"{name}: {writes}"
            self._add("fault to weight 0", writes[-1][0] - fault)
            # The first look that has seen a bad request is one interval after the fault.
            self._add("look to weight 0", writes[-1][0] - fault - 1.0 - INGESTION_DELAY)
        for name in edited:
            self._add("route put back", *figures.repairs(log, name, since=begin, before=fault))

    def _kill(self) -> None:
        version = objects.VERSIONS[3]
        begin = self._want(version, strategy=objects.steps(50, hold="30s"))
        self._until(lambda status: _shown(status) == version, f"{version} has 50 %")
        time.sleep(10)
        self._operator.kill()
        self._operator.start()
        self._until(lambda status: _stable(status) == version, f"{version} serves")
        writes = figures.shares(self._log(), self._names[0], version, since=begin)
        self._add("hold with SIGKILL", *figures.holds(writes))

    # -- how -----------------------------------------------------------------------------------------------

    @property
    def _pid(self) -> int:
        process = self._operator._process
        assert process is not None
        return process.pid

    def _add(self, what: str, *values: float) -> None:
        self.samples.setdefault(what, []).extend(values)

    def _log(self) -> list[audit.Request]:
        # The API server buffers nothing, but a line may be half written.
        time.sleep(0.5)
        lines = self._cluster.audit_log.read_text().splitlines(keepends=True)
        return audit.read(line for line in lines if line.endswith("\n"))

    def _each(self, do: Callable[[Any], object], items: Sequence[object]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(do, items))

    def _want(self, version: str, **spec: object) -> float:
        """Asks all for a version; gives the Unix time before."""
        begin = time.time()
        body = {"spec": {"version": version, **spec}}
        self._each(
            lambda name: self._api.patch_namespaced_custom_object(
                GROUP, "v1alpha1", objects.NAMESPACE, KIND, name, body
            ),
            self._names,
        )
        return begin

    def _edit(self, name: object) -> None:
        """Somebody turns the weights of a route around."""
        body = self._api.get_namespaced_custom_object(*ROUTES, name)
        for item in body["spec"]["http"][0]["route"]:
            item["weight"] = 100 - item["weight"]
        self._api.replace_namespaced_custom_object(*ROUTES, name, body)

    def _until(self, true: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Waits until something is true of all; looks once a second, so as not to be the load."""
        end = time.monotonic() + 180
        while time.monotonic() < end:
            found = self._api.list_namespaced_custom_object(GROUP, "v1alpha1", objects.NAMESPACE, KIND)
            late = [item for item in found["items"] if not true(item.get("status") or {})]
            if not late:
                return
            time.sleep(1)
        summary = (late[0].get("status") or {}).get("summary")
        raise AssertionError(f"not within 180 s: {what}; {len(late)} are late, one of them {summary}")


def _stable(status: dict[str, Any]) -> str | None:
    return (status.get("stable") or {}).get("version")


def _shown(status: dict[str, Any]) -> str | None:
    """The candidate's version, once it has traffic."""
    candidate = status.get("candidate") or {}
    return candidate.get("version") if candidate.get("weight") else None


def prepare(cluster: Cluster, crd: str) -> None:
    """The CRDs and the operator's rights; `crd` is that of VirtualServices, as JSON."""
    cluster.kubectl("apply", "-f", "-", stdin=crd)
    cluster.kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "charts/modelramp/files/rbac.yaml"))
    for kind in (
        "modelversions.modelramp.dev",
        "modeldeployments.modelramp.dev",
        f"virtualservices.{ROUTES[0]}",
    ):
        cluster.kubectl("wait", "--for=create", f"crd/{kind}", "--timeout=20s")
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=20s")
