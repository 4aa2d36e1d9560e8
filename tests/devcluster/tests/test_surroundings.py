"""What a pod and a client find around them: variables, accounts, network, logs, users, audit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devcluster.tests.podkit import (
    await_pod,
    container_with,
    create_pod,
    get_pod,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from devcluster import Cluster

pytestmark = pytest.mark.cluster


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
    container = container_with("python", "-c", program, env=env, envFrom=[{"configMapRef": {"name": "c"}}])
    create_pod(cluster, namespace, container, restartPolicy="Never")
    await_pod(cluster, namespace, "jsonpath={.status.phase}=Succeeded")
    log = cluster.kubectl("logs", "p", "-n", namespace)
    assert log.startswith(f"green hush p {namespace}\n403 ")
    assert f"system:serviceaccount:{namespace}:default" in log


def test_pods_have_addresses_of_their_own(cluster: Cluster, namespace: str) -> None:
    """Two pods listen on the same port, reach each other, and reach nothing outside."""
    serve = container_with(
        "python", "-m", "http.server", "8080", readinessProbe={"tcpSocket": {"port": 8080}}
    )
    create_pod(cluster, namespace, serve)
    await_pod(cluster, namespace, "condition=Ready")
    address = get_pod(cluster, namespace)["status"]["podIP"]
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
    create_pod(
        cluster,
        namespace,
        container_with("bash", "-c", "for n in 1 2 3 4; do echo $n; sleep 0.4; done"),
        restartPolicy="Never",
    )
    cluster.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.podIP}", "pod/p", "--timeout=60s")
    time.sleep(0.5)
    assert cluster.kubectl("logs", "-f", "p", "-n", namespace, timeout=30).split() == ["1", "2", "3", "4"]
    assert cluster.kubectl("logs", "p", "-n", namespace, "--tail=1").split() == ["4"]


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
