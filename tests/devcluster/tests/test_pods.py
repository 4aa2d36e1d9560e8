"""The node agent does for a pod what a kubelet does."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from devcluster import KubectlError, netns
from devcluster.tests.podkit import (
    await_pod,
    container_with,
    create_pod,
    get_pod,
    main_status,
    waiting_reason,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devcluster import Cluster

pytestmark = pytest.mark.cluster
_SERVER = """
import http.server, os, pathlib, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if not pathlib.Path(os.environ['BROKEN']).exists() else 500)
        self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer((os.environ['POD_IP'], 8080), Handler).serve_forever()
"""


def test_ready_follows_the_probe(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A pod is Ready once its probe answers well, unready when it does not, and Ready again after that."""
    broken = tmp_path / "broken"
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BROKEN", "value": str(broken)},
    ]
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 2}
    ports = [{"name": "http", "containerPort": 8080}]
    container = container_with("python", "-c", _SERVER, env=env, ports=ports, readinessProbe=probe)
    create_pod(cluster, namespace, container)
    await_pod(cluster, namespace, "condition=Ready")
    broken.touch()
    await_pod(cluster, namespace, "condition=Ready=false")
    assert main_status(cluster, namespace)["restartCount"] == 0
    broken.unlink()
    await_pod(cluster, namespace, "condition=Ready")


def test_a_failed_liveness_probe_restarts(
    cluster: Cluster, namespace: str, eventually: Callable[..., None], tmp_path: Path
) -> None:
    """A container whose liveness probe fails is ended and started again."""
    alive = tmp_path / "alive"
    alive.touch()
    probe = {"exec": {"command": ["test", "-e", str(alive)]}, "periodSeconds": 1, "failureThreshold": 1}
    container = container_with("sleep", "1000", livenessProbe=probe)
    create_pod(cluster, namespace, container, terminationGracePeriodSeconds=1)
    await_pod(cluster, namespace, "condition=Ready")
    alive.unlink()
    eventually(lambda: main_status(cluster, namespace)["restartCount"] >= 1, what="a restart")
    assert main_status(cluster, namespace)["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGTERM


def test_crash_loop(cluster: Cluster, namespace: str, eventually: Callable[..., None]) -> None:
    """A container that keeps failing waits in CrashLoopBackOff; exit code and both logs are there."""
    script = "echo run $RANDOM; exit 3"
    create_pod(cluster, namespace, container_with("bash", "-c", script))
    eventually(lambda: waiting_reason(cluster, namespace) == "CrashLoopBackOff")
    status = main_status(cluster, namespace)
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["restartCount"] == 1
    assert get_pod(cluster, namespace)["status"]["phase"] == "Running"
    now = cluster.kubectl("logs", "p", "-n", namespace)
    before = cluster.kubectl("logs", "p", "-n", namespace, "--previous")
    assert now.startswith("run ")
    assert before.startswith("run ")
    assert now != before


def test_an_image_that_cannot_be_pulled(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """Pending with ErrImagePull, then ImagePullBackOff; nothing runs; a corrected image starts the pod."""
    create_pod(cluster, namespace, container_with("sleep", "1000") | {"image": "registry.invalid/model:1"})
    eventually(lambda: waiting_reason(cluster, namespace) == "ImagePullBackOff")
    assert get_pod(cluster, namespace)["status"]["phase"] == "Pending"
    cluster.kubectl("set", "image", "pod/p", "main=model:1", "-n", namespace)
    await_pod(cluster, namespace, "condition=Ready")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (container_with("no-such-program"), "RunContainerError"),
        ({"name": "main", "image": "any"}, "CreateContainerError"),
        (
            container_with("sleep", "9", envFrom=[{"configMapRef": {"name": "absent"}}]),
            "CreateContainerConfigError",
        ),
    ],
    ids=["program", "command", "configmap"],
)
def test_a_container_that_cannot_start(
    cluster: Cluster, namespace: str, eventually: Callable[..., None], container: dict[str, Any], reason: str
) -> None:
    """A missing program, command or ConfigMap is told apart by the reason, as a kubelet does."""
    create_pod(cluster, namespace, container)
    eventually(lambda: waiting_reason(cluster, namespace) == reason, what=reason)
    assert not main_status(cluster, namespace)["ready"]


def test_unschedulable(cluster: Cluster, namespace: str) -> None:
    """A pod that asks for more than a node has stays Pending, and the scheduler says why."""
    create_pod(cluster, namespace, container_with("sleep", "1", resources={"requests": {"cpu": "1000"}}))
    await_pod(cluster, namespace, "condition=PodScheduled=false")
    condition = next(
        c for c in get_pod(cluster, namespace)["status"]["conditions"] if c["type"] == "PodScheduled"
    )
    assert condition["reason"] == "Unschedulable"
    assert "Insufficient cpu" in condition["message"]


def test_deletion_gives_grace(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """PreStop comes first, then TERM, and the program may take its time within the grace period."""
    trace = tmp_path / "trace"
    script = f"trap 'echo term $(date +%s.%N) >> {trace}; sleep 0.5; echo done >> {trace}; exit 0' TERM; "
    script += "while true; do sleep 0.05; done"
    container = container_with("bash", "-c", script, lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    create_pod(cluster, namespace, container, terminationGracePeriodSeconds=20)
    await_pod(cluster, namespace, "condition=Ready")
    begin = time.time()
    cluster.kubectl("delete", "pod", "p", "-n", namespace)
    took = time.time() - begin
    first, second = trace.read_text().splitlines()
    assert float(first.split()[1]) - begin >= 1
    assert second == "done"
    assert 1.5 <= took < 15


def test_deletion_ends_in_a_kill(cluster: Cluster, namespace: str) -> None:
    """A program that ignores TERM is killed after the grace period, with its children and namespace."""
    script = "trap '' TERM; sleep 1234 & while true; do sleep 0.1; done"
    create_pod(cluster, namespace, container_with("bash", "-c", script), terminationGracePeriodSeconds=2)
    await_pod(cluster, namespace, "condition=Ready")
    uid = get_pod(cluster, namespace)["metadata"]["uid"]
    begin = time.time()
    cluster.kubectl("delete", "pod", "p", "-n", namespace)
    assert time.time() - begin >= 2
    assert not netns.exists(f"{cluster.instance.pod_namespace_prefix}{uid[:8]}")


def test_init_containers_run_first_and_in_order(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Init containers end, one after the other, before the others start."""
    trace = tmp_path / "trace"

    def write(name: str) -> list[str]:
        return ["bash", "-c", f"sleep 0.2; echo {name} >> {trace}"]

    init = [{"name": name, "image": "any", "command": write(name)} for name in ("one", "two")]
    container = container_with(*write("main"))
    create_pod(cluster, namespace, container, initContainers=init, restartPolicy="Never")
    await_pod(cluster, namespace, "jsonpath={.status.phase}=Succeeded")
    assert trace.read_text().split() == ["one", "two", "main"]


def test_a_job_retries_until_it_succeeds(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """OnFailure restarts a failed container, and an exit code of 0 completes the Job."""
    mark = tmp_path / "mark"
    script = f"test -e {mark} || {{ touch {mark}; exit 1; }}"
    template = {"spec": {"containers": [container_with("sh", "-c", script)], "restartPolicy": "OnFailure"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": namespace}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(job | {"spec": {"template": template}}))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Complete", "job/j", "--timeout=60s")


def test_rolling_update_and_scaling(cluster: Cluster, namespace: str) -> None:
    """A Deployment rolls, scales to zero and back, through the real controllers."""
    cluster.kubectl("create", "deployment", "d", "-n", namespace, "--image=any", "--", "sleep", "1000")
    cluster.kubectl("rollout", "status", "deployment/d", "-n", namespace, "--timeout=60s")
    cluster.kubectl("set", "env", "deployment/d", "A=b", "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/d", "-n", namespace, "--timeout=60s")
    cluster.kubectl("scale", "deployment/d", "--replicas=0", "-n", namespace)
    cluster.kubectl("wait", "-n", namespace, "--for=delete", "pod", "--all", "--timeout=60s")
    cluster.kubectl("scale", "deployment/d", "--replicas=3", "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/d", "-n", namespace, "--timeout=60s")


def test_status_only_pods_have_no_process(cluster: Cluster, namespace: str) -> None:
    """An annotated pod is Ready without a process or namespace, and goes when it is deleted."""
    metadata = {"annotations": {"devcluster.modelramp.dev/status-only": "true"}}
    create_pod(cluster, namespace, {"name": "main", "image": "any"}, metadata=metadata)
    await_pod(cluster, namespace, "condition=Ready")
    pod = get_pod(cluster, namespace)
    assert pod["status"]["podIP"].startswith("10.245.")
    assert not netns.exists(f"{cluster.instance.pod_namespace_prefix}{pod['metadata']['uid'][:8]}")
    cluster.kubectl("delete", "pod", "p", "-n", namespace)
    with pytest.raises(KubectlError, match="NotFound"):
        cluster.kubectl("get", "pod", "p", "-n", namespace)


def test_forced_deletion_ends_the_process(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """An object removed by force takes its process along, although nobody asked the agent."""
    create_pod(cluster, namespace, container_with("sleep", "1000"))
    await_pod(cluster, namespace, "condition=Ready")
    uid = get_pod(cluster, namespace)["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "p", "-n", namespace, "--force", "--grace-period=0")
    eventually(lambda: not netns.exists(f"{cluster.instance.pod_namespace_prefix}{uid[:8]}"))
