"""From nothing to a control plane: what is started after what, and what each step waits for."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from devcluster import access, apiclient, builds, forward, gateway, netns, parts, processes
from devcluster.certificates import Authority, Pair, new_key, pem, public_pem
from devcluster.progress import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from devcluster.instance import Instance, Member, State

_LIMIT_S = 120.0
_CERTIFICATE_HOSTS = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    netns.NODE_ADDRESS,
    "10.96.0.1",
]
_ADMINS = ("system:masters",)
_COMPONENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "prometheus": ("devcluster:prometheus", ()),
    "istiod": ("devcluster:istiod", _ADMINS),
    "admin": ("admin", _ADMINS),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen at `up`.

    Attributes:
        nodes: how many nodes the agent plays.
        pods_per_node: each node's capacity.
        scrape_interval: of Prometheus, as a Prometheus duration.
        crash_backoff_s: the first back-off of a crashing container; the kubelet's is 10 s.
        workdir: where containers without a workingDir run.
    """

    nodes: int = 2
    pods_per_node: int = 250
    scrape_interval: str = "1s"
    crash_backoff_s: float = 10.0
    workdir: Path = Path(__file__).parents[2]


class Bringup:
    """Starts the parts of one instance and keeps its record."""

    def __init__(self, instance: Instance, state: State, options: Options, *, quiet: bool) -> None:
        self._instance = instance
        self._state = state
        self._options = options
        self._quiet = quiet

    def run(self, layers: tuple[str, ...]) -> None:
        """Start what the layers need and is not there yet.

        Raises:
            DevclusterError: a part ended or did not become ready; the message has the end of its log.
        """
        todo = [layer for layer in layers if layer not in self._state.layers]
        if "api" in todo:
            self._step("network namespace, certificates", self._prepare)
            self._step("etcd, kube-apiserver", self._start_api)
        self._client = apiclient.ApiClient(self._instance)
        with ThreadPoolExecutor() as pool:
            crds = pool.submit(self._install_crds) if "mesh" in todo else None
            if "kube" in todo:
                self._step("kube-controller-manager, kube-scheduler, nodes", self._start_kube)
            if "metrics" in todo:
                self._start_prometheus()
            if crds is not None:
                self._step("Istio and Gateway API CRDs", crds.result)
                self._step("istiod", self._start_istiod)
                self._step("ingress gateway", self._start_gateway)
        if "metrics" in todo:
            self._step("prometheus", self._await_prometheus)
        self._state.layers = [*self._state.layers, *todo]
        self._state.ready = True
        self._instance.save(self._state)

    def _step(self, text: str, action: Callable[[], object]) -> None:
        with Step(text, quiet=self._quiet):
            action()

    def _spawn(
        self,
        name: str,
        command: list[str],
        *,
        env: dict[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Member:
        nonce = self._state.nonce
        member = processes.spawn(
            name, command, instance=self._instance, nonce=nonce, env=env, inherited=inherited
        )
        self._state.members.append(member)
        self._instance.save(self._state)
        return member

    def _module(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    @property
    def _python_environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}

    def _wait(self, what: str, check: Callable[[], bool], *watched: Member) -> None:
        processes.wait_for(what, check, limit=_LIMIT_S, watched=watched, logs=self._instance.logs)

    def _prepare(self) -> None:
        instance = self._instance
        netns.make_instance(instance.namespace)
        authority = Authority.create()
        authority.save(instance.pki)
        authority.serving("kube-apiserver", _CERTIFICATE_HOSTS).write(instance.pki, "apiserver")
        authority.serving("node-agent", [netns.NODE_ADDRESS]).write(instance.pki, "kubelet")
        authority.client("kube-apiserver-kubelet-client").write(instance.pki, "kubelet-client")
        authority.client("admin", _ADMINS).write(instance.pki, "admin")
        authority.client("devcluster:node-agent").write(instance.pki, "node-agent")
        signer = new_key()
        Pair(b"", pem(signer)).write(instance.pki, "service-accounts")
        (instance.pki / "service-accounts.pub").write_bytes(public_pem(signer))
        for name, (user, groups) in _COMPONENTS.items():
            text = access.for_user(instance, server=access.INSIDE, user=user, groups=groups)
            access.write(instance.folder / "kubeconfigs" / name, text)
        (instance.folder / "audit-policy.yaml").write_text(yaml.safe_dump(parts.AUDIT_POLICY))
        (instance.folder / "mesh.yaml").write_text(yaml.safe_dump(parts.MESH_CONFIG))

    def _start_api(self) -> None:
        instance = self._instance
        self._client = apiclient.ApiClient(instance)
        etcd = self._spawn("etcd", parts.etcd(instance))
        server = self._spawn("kube-apiserver", parts.api_server(instance))
        targets = {
            "kubernetes": f"{netns.NODE_ADDRESS}:6443",
            "prometheus": f"{netns.NODE_ADDRESS}:{parts.PROMETHEUS_PORT}",
            "gateway": f"{gateway.ADDRESS}:{gateway.HTTP_PORT}",
        }
        with contextlib.ExitStack() as stack:
            sockets = {name: stack.enter_context(forward.listen()) for name in targets}
            self._state.ports = {name: listener.getsockname()[1] for name, listener in sockets.items()}
            routes = [f"{sockets[name].fileno()}={target}" for name, target in targets.items()]
            self._spawn(
                "port-forward",
                self._module("devcluster.forward", *routes),
                env=self._python_environment,
                inherited=[listener.fileno() for listener in sockets.values()],
            )
        self._wait("kube-apiserver /readyz", self._client.ready, etcd, server)
        host = f"https://127.0.0.1:{self._state.ports['kubernetes']}"
        text = access.for_user(instance, server=host, user="admin", groups=_ADMINS)
        access.write(instance.folder / "kubeconfigs" / "host-admin", text)

    def _install_crds(self) -> None:
        for name in ("istio-system", gateway.NAMESPACE):
            self._client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        crds = builds.mesh_crds()
        for crd in crds:
            self._client.apply(crd)
        for crd in crds:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"
            self._wait(f"CRD {crd['metadata']['name']}", partial(self._has_condition, path, "Established"))

    def _has_condition(self, path: str, kind: str) -> bool:
        conditions = self._client.call("GET", path).get("status", {}).get("conditions", [])
        return any(c["type"] == kind and c["status"] == "True" for c in conditions)

    def _grant(self, role: str, user: str) -> None:
        self._client.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }
        )

    def _start_kube(self) -> None:
        instance = self._instance
        self._grant("system:node", "devcluster:node-agent")
        names = [f"node-{number}" for number in range(1, self._options.nodes + 1)]
        settings = {
            "instance": instance.name,
            "folder": str(instance.folder),
            "nodes": names,
            "pods_per_node": self._options.pods_per_node,
            "crash_backoff_s": self._options.crash_backoff_s,
            "workdir": str(self._options.workdir),
        }
        (instance.folder / "agent.json").write_text(json.dumps(settings))
        watched = [
            self._spawn("kube-controller-manager", parts.controller_manager(instance)),
            self._spawn("kube-scheduler", parts.scheduler(instance)),
            self._spawn(
                "node-agent",
                self._module("devcluster.agent", str(instance.folder / "agent.json")),
                env=self._python_environment,
            ),
        ]
        for name in names:
            self._wait(f"node {name} Ready", partial(self._node_ready, name), *watched)
        self._wait("ServiceAccount default", self._has_default_account, *watched)

    def _node_ready(self, name: str) -> bool:
        nodes = self._client.call("GET", f"/api/v1/nodes?fieldSelector=metadata.name%3D{name}")["items"]
        return bool(nodes) and self._has_condition(f"/api/v1/nodes/{name}", "Ready")

    def _has_default_account(self) -> bool:
        accounts = self._client.call("GET", "/api/v1/namespaces/default/serviceaccounts")["items"]
        return any(account["metadata"]["name"] == "default" for account in accounts)

    def _start_istiod(self) -> None:
        member = self._spawn("istiod", parts.istiod(self._instance), env=parts.ISTIOD_ENVIRONMENT)
        self._wait(
            "istiod /ready",
            lambda: apiclient.fetch(self._instance, parts.ISTIOD_HTTP_PORT, "/ready") == 200,
            member,
        )

    def _start_gateway(self) -> None:
        for document in gateway.manifests():
            self._client.apply(document)
        path = f"/apis/apps/v1/namespaces/{gateway.NAMESPACE}/deployments/istio-ingressgateway"
        watched = [m for m in self._state.members if m.name in {"node-agent", "istiod", "kube-scheduler"}]
        self._wait("ingress gateway Available", lambda: self._has_condition(path, "Available"), *watched)

    def _start_prometheus(self) -> None:
        instance = self._instance
        user = "devcluster:prometheus"
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": user},
        }
        self._client.apply({**role, "rules": rules})
        self._grant(user, user)
        config = parts.prometheus_config(instance, scrape_interval=self._options.scrape_interval)
        (instance.folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._spawn("prometheus", parts.prometheus(instance), env={"TZ": os.environ.get("TZ", "UTC")})

    def _await_prometheus(self) -> None:
        watched = [member for member in self._state.members if member.name == "prometheus"]
        self._wait(
            "prometheus /-/ready",
            lambda: (
                apiclient.fetch(self._instance, parts.PROMETHEUS_PORT, "/-/ready", address=netns.NODE_ADDRESS)
                == 200
            ),
            *watched,
        )
