"""The node agent does for a pod what a kubelet does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devcluster import KubectlError, netns

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _container(*command: str, **more: object) -> dict[str, Any]:
    return {"name": "main", "image": "any", "command": list(command), **more}


def _create(
    cluster: Cluster,
    namespace: str,
    *containers: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    **spec: object,
) -> None:
    """Create the pod `p`."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace, **(metadata or {})},
        "spec": {"containers": list(containers), **spec},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


def _pod(cluster: Cluster, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", "p", "-n", namespace, "-o", "json"))
    return found


def _main(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The status of the pod's container."""
    statuses = _pod(cluster, namespace)["status"].get("containerStatuses", [{}])
    status: dict[str, Any] = statuses[0]
    return status


def _waiting(cluster: Cluster, namespace: str) -> str:
    return str(_main(cluster, namespace).get("state", {}).get("waiting", {}).get("reason", ""))


def _await(cluster: Cluster, namespace: str, condition: str) -> None:
    cluster.kubectl("wait", "-n", namespace, f"--for={condition}", "pod/p", "--timeout=60s")


def test_ready_follows_the_probe(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A pod is Ready once its probe answers well, unready when it does not, and Ready again after that."""
    broken = tmp_path / "broken"
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BROKEN", "value": str(broken)},
    ]
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 2}
    ports = [{"name": "http", "containerPort": 8080}]
    container = _container("python", "-c", _SERVER, env=env, ports=ports, readinessProbe=probe)
    _create(cluster, namespace, container)
    _await(cluster, namespace, "condition=Ready")
    broken.touch()
    _await(cluster, namespace, "condition=Ready=false")
    assert _main(cluster, namespace)["restartCount"] == 0
    broken.unlink()
    _await(cluster, namespace, "condition=Ready")


def test_a_failed_liveness_probe_restarts(
    cluster: Cluster, namespace: str, eventually: Callable[..., None], tmp_path: Path
) -> None:
    """A container whose liveness probe fails is ended and started again."""
    alive = tmp_path / "alive"
    alive.touch()
    probe = {"exec": {"command": ["test", "-e", str(alive)]}, "periodSeconds": 1, "failureThreshold": 1}
    container = _container("sleep", "1000", livenessProbe=probe)
    _create(cluster, namespace, container, terminationGracePeriodSeconds=1)
    _await(cluster, namespace, "condition=Ready")
    alive.unlink()
    eventually(lambda: _main(cluster, namespace)["restartCount"] >= 1, what="a restart")
    assert _main(cluster, namespace)["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGTERM


def test_crash_loop(cluster: Cluster, namespace: str, eventually: Callable[..., None]) -> None:
    """A container that keeps failing waits in CrashLoopBackOff; exit code and both logs are there."""
    script = "echo run $RANDOM; exit 3"
    _create(cluster, namespace, _container("bash", "-c", script))
    eventually(lambda: _waiting(cluster, namespace) == "CrashLoopBackOff")
    status = _main(cluster, namespace)
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["restartCount"] == 1
    assert _pod(cluster, namespace)["status"]["phase"] == "Running"
    now = cluster.kubectl("logs", "p", "-n", namespace)
    before = cluster.kubectl("logs", "p", "-n", namespace, "--previous")
    assert now.startswith("run ")
    assert before.startswith("run ")
    assert now != before


def test_an_image_that_cannot_be_pulled(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """Pending with ErrImagePull, then ImagePullBackOff; nothing runs; a corrected image starts the pod."""
    _create(cluster, namespace, _container("sleep", "1000") | {"image": "registry.invalid/model:1"})
    eventually(lambda: _waiting(cluster, namespace) == "ImagePullBackOff")
    assert _pod(cluster, namespace)["status"]["phase"] == "Pending"
    cluster.kubectl("set", "image", "pod/p", "main=model:1", "-n", namespace)
    _await(cluster, namespace, "condition=Ready")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (_container("no-such-program"), "RunContainerError"),
        ({"name": "main", "image": "any"}, "CreateContainerError"),
        (
            _container("sleep", "9", envFrom=[{"configMapRef": {"name": "absent"}}]),
            "CreateContainerConfigError",
        ),
    ],
    ids=["program", "command", "configmap"],
)
def test_a_container_that_cannot_start(
    cluster: Cluster, namespace: str, eventually: Callable[..., None], container: dict[str, Any], reason: str
) -> None:
    """A missing program, command or ConfigMap is told apart by the reason, as a kubelet does."""
    _create(cluster, namespace, container)
    eventually(lambda: _waiting(cluster, namespace) == reason, what=reason)
    assert not _main(cluster, namespace)["ready"]


def test_unschedulable(cluster: Cluster, namespace: str) -> None:
    """A pod that asks for more than a node has stays Pending, and the scheduler says why."""
    _create(cluster, namespace, _container("sleep", "1", resources={"requests": {"cpu": "1000"}}))
    _await(cluster, namespace, "condition=PodScheduled=false")
    condition = next(
        c for c in _pod(cluster, namespace)["status"]["conditions"] if c["type"] == "PodScheduled"
    )
    assert condition["reason"] == "Unschedulable"
    assert "Insufficient cpu" in condition["message"]


def test_deletion_gives_grace(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """PreStop comes first, then TERM, and the program may take its time within the grace period."""
    trace = tmp_path / "trace"
    script = f"trap 'echo term $(date +%s.%N) >> {trace}; sleep 0.5; echo done >> {trace}; exit 0' TERM; "
    script += "while true; do sleep 0.05; done"
    container = _container("bash", "-c", script, lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    _create(cluster, namespace, container, terminationGracePeriodSeconds=20)
    _await(cluster, namespace, "condition=Ready")
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
    _create(cluster, namespace, _container("bash", "-c", script), terminationGracePeriodSeconds=2)
    _await(cluster, namespace, "condition=Ready")
    uid = _pod(cluster, namespace)["metadata"]["uid"]
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
    container = _container(*write("main"))
    _create(cluster, namespace, container, initContainers=init, restartPolicy="Never")
    _await(cluster, namespace, "jsonpath={.status.phase}=Succeeded")
    assert trace.read_text().split() == ["one", "two", "main"]


def test_a_job_retries_until_it_succeeds(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """OnFailure restarts a failed container, and an exit code of 0 completes the Job."""
    mark = tmp_path / "mark"
    script = f"test -e {mark} || {{ touch {mark}; exit 1; }}"
    template = {"spec": {"containers": [_container("sh", "-c", script)], "restartPolicy": "OnFailure"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": namespace}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(job | {"spec": {"template": template}}))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Complete", "job/j", "--timeout=60s")


def test_environment_and_service_account(cluster: Cluster, namespace: str) -> None:
    """ConfigMap, Secret and fields are in the environment; the account's token opens the API server."""
    cluster.kubectl("create", "configmap", "c", "-n", namespace, "--from-literal=color=green")
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, "--from-literal=word=hush")
    program = """
import os, ssl, urllib.error, urllib.request
root = '/var/run/secrets/kubernetes.io/serviceaccount'
print(os.environ['color'], os.environ['WORD'], os.environ['NAME'], open(f'{root}/namespace').read())
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/nodes"
token = {'Authorization': 'Bearer ' + open(f'{root}/token').read()}
try:
    request = urllib.request.Request(url, headers=token)
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=f'{root}/ca.crt'))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
    env = [
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "word"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    container = _container("python", "-c", program, env=env, envFrom=[{"configMapRef": {"name": "c"}}])
    _create(cluster, namespace, container, restartPolicy="Never")
    _await(cluster, namespace, "jsonpath={.status.phase}=Succeeded")
    log = cluster.kubectl("logs", "p", "-n", namespace)
    assert log.startswith(f"green hush p {namespace}\n403 ")
    assert f"system:serviceaccount:{namespace}:default" in log


def test_pods_have_addresses_of_their_own(cluster: Cluster, namespace: str) -> None:
    """Two pods listen on the same port, reach each other, and reach nothing outside."""
    serve = _container("python", "-m", "http.server", "8080", readinessProbe={"tcpSocket": {"port": 8080}})
    _create(cluster, namespace, serve)
    _await(cluster, namespace, "condition=Ready")
    address = _pod(cluster, namespace)["status"]["podIP"]
    program = f"""
import http.server, socket, threading, urllib.request
threading.Thread(target=http.server.HTTPServer(('', 8080), None).serve_forever, daemon=True).start()
print(urllib.request.urlopen('http://{address}:8080').status)
try:
    socket.create_connection(('192.0.2.1', 80), timeout=5)
except OSError as error:
    print(error.strerror)
"""
    cluster.kubectl(
        "run",
        "q",
        "-n",
        namespace,
        "--image=any",
        "--restart=Never",
        "--command",
        "--",
        "python",
        "-c",
        program,
    )
    cluster.kubectl(
        "wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "pod/q", "--timeout=60s"
    )
    assert cluster.kubectl("logs", "q", "-n", namespace).splitlines() == ["200", "Network is unreachable"]


def test_logs_can_be_followed(cluster: Cluster, namespace: str) -> None:
    """`kubectl logs -f` shows what is written later and ends with the container; --tail cuts."""
    _create(
        cluster,
        namespace,
        _container("bash", "-c", "for n in 1 2 3 4; do echo $n; sleep 0.4; done"),
        restartPolicy="Never",
    )
    cluster.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.podIP}", "pod/p", "--timeout=60s")
    time.sleep(0.5)
    assert cluster.kubectl("logs", "-f", "p", "-n", namespace, timeout=30).split() == ["1", "2", "3", "4"]
    assert cluster.kubectl("logs", "p", "-n", namespace, "--tail=1").split() == ["4"]


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
    _create(cluster, namespace, {"name": "main", "image": "any"}, metadata=metadata)
    _await(cluster, namespace, "condition=Ready")
    pod = _pod(cluster, namespace)
    assert pod["status"]["podIP"].startswith("10.245.")
    assert not netns.exists(f"{cluster.instance.pod_namespace_prefix}{pod['metadata']['uid'][:8]}")
    cluster.kubectl("delete", "pod", "p", "-n", namespace)
    with pytest.raises(KubectlError, match="NotFound"):
        cluster.kubectl("get", "pod", "p", "-n", namespace)


def test_forced_deletion_ends_the_process(
    cluster: Cluster, namespace: str, eventually: Callable[..., None]
) -> None:
    """An object removed by force takes its process along, although nobody asked the agent."""
    _create(cluster, namespace, _container("sleep", "1000"))
    _await(cluster, namespace, "condition=Ready")
    uid = _pod(cluster, namespace)["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "p", "-n", namespace, "--force", "--grace-period=0")
    eventually(lambda: not netns.exists(f"{cluster.instance.pod_namespace_prefix}{uid[:8]}"))


def test_users_and_accounts_have_only_their_rights(cluster: Cluster, namespace: str) -> None:
    """Handed-out kubeconfigs speak as that user, group or service account, and as nobody else."""

    def who(*config: str) -> dict[str, Any]:
        command = [*cluster.kubectl_command()[:1], *config, "auth", "whoami", "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        info: dict[str, Any] = json.loads(done.stdout)["status"]["userInfo"]
        return info

    user = cluster.kubeconfig(user="jane", groups=["data-science"])
    info = who(f"--kubeconfig={user}")
    assert (info["username"], info["groups"]) == ("jane", ["data-science", "system:authenticated"])
    cluster.kubectl("create", "serviceaccount", "robot", "-n", namespace)
    account = cluster.kubeconfig(service_account=f"{namespace}/robot")
    assert who(f"--kubeconfig={account}")["username"] == f"system:serviceaccount:{namespace}:robot"
    config = f"--kubeconfig={account}"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        subprocess.run(
            [*cluster.kubectl_command()[:1], config, "get", "nodes"],
            check=True,
            capture_output=True,
            timeout=60,
        )
    assert b"Forbidden" in refused.value.stderr


def test_writes_are_audited(cluster: Cluster, namespace: str, eventually: Callable[..., None]) -> None:
    """The audit log names who wrote what, and holds no reads."""
    cluster.kubectl("create", "configmap", "seen", "-n", namespace)

    def entries() -> list[dict[str, Any]]:
        lines = cluster.audit_log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [e for e in found if e.get("objectRef", {}).get("name") == "seen"]

    eventually(lambda: len(entries()) == 1)
    (entry,) = entries()
    assert (entry["verb"], entry["user"]["username"]) == ("create", "admin")
    assert entry["objectRef"]["resource"] == "configmaps"


def test_commands_run_inside(cluster: Cluster) -> None:
    """`exec` and `run` see the instance's network and an admin's kubeconfig, and give back the exit code."""
    assert "10.244.0.1" in cluster.run(["ip", "address", "show", "dev", "lo"]).stdout
    assert "node-1" in cluster.run(["kubectl", "get", "nodes"]).stdout
    command = [sys.executable, "-m", "devcluster", "exec", "--instance", cluster.instance.name, "--"]
    env = cluster.environment() | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([*command, "sh", "-c", "exit 7"], env=env, check=False, timeout=60)
    assert done.returncode == 7
