"""`make demo`: a good version goes 5 → 20 → 50 → 100 % of real traffic, a bad one is taken back by itself.

Everything is real and local: Kubernetes, Istio, Envoy and Prometheus as processes in a network namespace, a
model server with trained models, requests that are rows of a data set. The screen is `modelramp status
--watch`. With DEMO_EXIT=1 all is cleaned up at the end, and the exit code says whether it happened as told.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples")]

from devcluster import Cluster, gateway, netns, parts  # noqa: E402 - the paths come first

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTANCE = "demo"
NAMESPACE = "demo"
NAME = "digits"
HOST = "digits.example.com"
# As seen inside the cluster's network namespace.
PROMETHEUS = f"http://{netns.NODE_ADDRESS}:{parts.PROMETHEUS_PORT}"
GATEWAY = f"http://{gateway.ADDRESS}:{gateway.HTTP_PORT}"
POD_NETWORK = "10.244.0.0/16"
REQUESTS_PER_SECOND = 100
# Longer than the demo: what is left up goes on for a while, and ends by itself.
TRAFFIC_SECONDS = 1800
READY_LIMIT = 60
STEP_LIMIT_SECONDS = 120


class DemoError(Exception):
    """Something did not happen as told. The message says what, and where to look."""


class Demo:
    """The story, scene by scene."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.cluster = Cluster(INSTANCE)
        self.folder = Path("/tmp/modelramp-demo")  # noqa: S108 - pods run as root in a namespace of ours
        self.stats = self.folder / "stats.json"

    def run(self) -> None:
        """All of it."""
        began = time.monotonic()
        self.say("a real control plane: Kubernetes, Istio, Envoy, Prometheus")
        self.cluster.up()
        self.say("models are trained on real images, and registered")
        self.python("-m", "digits.train", str(self.folder))
        kubectl = self.cluster.kubectl
        kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "charts/modelramp/files/rbac.yaml"))
        for name in ("modelversions", "modeldeployments"):
            kubectl("wait", "--for=create", f"crd/{name}.modelramp.dev", "--timeout=20s")
            kubectl("wait", "--for=condition=Established", f"crd/{name}.modelramp.dev", "--timeout=20s")
        self.apply_manifests()
        self.say("the operator starts, with a service account of its own")
        self.start_operator()
        self.wait_for("1.0.0")
        self.say(f"{REQUESTS_PER_SECOND} requests a second through Envoy; 1.0.0 answers them all")
        self.start_traffic()
        self.say('1.1.0 is better: kubectl patch mdep digits -p \'{"spec":{"version":"1.1.0"}}\'')
        self.set_version("1.1.0")
        self.watch("promoted")
        self.say("2.0.0 fails on a third of the requests; nobody knows that yet")
        self.set_version("2.0.0")
        self.watch("rolled-back")
        self.why()
        self.say(f"that was all, in {time.monotonic() - began:.0f} s")

    # -- scenes --------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """One line of the story."""
        self.console.print(f"\n[bold]▸ {text}[/bold]")

    def apply_manifests(self) -> None:
        """Namespace, ModelVersions and the ModelDeployment as training wrote them."""
        kubectl = self.cluster.kubectl
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        files = ("modelversions", "modeldeployment.yaml")
        kubectl("apply", "-n", NAMESPACE, *(f"--filename={self.folder / file}" for file in files))

    def start_operator(self) -> None:
        """The operator as a process, with the rights of its service account and no others."""
        config = self.cluster.kubeconfig(service_account="modelramp-system/modelramp", inside=True)
        self.background(
            "operator",
            [self.tool("modelramp"), "operator"],
            KUBECONFIG=str(config),
            MODELRAMP_PROMETHEUS_URL=PROMETHEUS,
            MODELRAMP_SCRAPE_INTERVAL="1s",
            MODELRAMP_HTTP_PORT="8085",
        )

    def start_traffic(self) -> None:
        """Real rows at a steady rate, through the ingress gateway."""
        command = [sys.executable, "-m", "digits.traffic", "--url", f"{GATEWAY}/predict"]
        command += ["--host", HOST, "--rps", str(REQUESTS_PER_SECOND), "--for", str(TRAFFIC_SECONDS)]
        command += ["--count", str(REQUESTS_PER_SECOND * TRAFFIC_SECONDS), "--labels"]
        command += ["--stats", str(self.stats), "--pod-network", POD_NETWORK]
        self.background("traffic", command, PYTHONPATH=str(ROOT / "examples"))

    def set_version(self, version: str) -> None:
        """What a user, or Git, does: another version in the spec."""
        patch = json.dumps({"spec": {"version": version}})
        self.cluster.kubectl("patch", "mdep", NAME, "-n", NAMESPACE, "--type=merge", f"--patch={patch}")

    def watch(self, until: str) -> None:
        """`modelramp status --watch`, until the rollout has ended as expected."""
        command = [self.tool("modelramp"), "status", NAME, "-n", NAMESPACE, "--watch"]
        command += ["--stats", str(self.stats), "--until", until, "--timeout", str(STEP_LIMIT_SECONDS)]
        config = str(self.cluster.kubeconfig(inside=False))
        ended = subprocess.run(command, env=os.environ | {"KUBECONFIG": config}, check=False)  # noqa: S603
        if ended.returncode:
            raise DemoError(f"{NAME} was not {until}; see {self.folder / 'operator.log'}")

    def why(self) -> None:
        """What the object itself says in the end."""
        body = self.object()
        rollback = body["spec"].get("rollback")
        if not rollback:
            raise DemoError("spec.rollback is not there")
        self.console.print("\n[bold]why[/bold] (kubectl get mdep digits -o jsonpath={.spec.rollback})")
        self.console.print_json(json.dumps(rollback))
        if os.environ.get("DEMO_EXIT") != "1":
            self.next_commands()

    def next_commands(self) -> None:
        """What to type next: everything is still up."""
        slow = json.dumps({"spec": {"version": "2.1.0"}})
        watch = f"modelramp status {NAME} -n {NAMESPACE} --watch --stats {self.stats}"
        lines = (
            f"export KUBECONFIG={self.cluster.kubeconfig(inside=False)} PATH=$PWD/.venv/bin:$PATH",
            f"kubectl get mdep,mv,deploy,vs -n {NAMESPACE}",
            f"kubectl describe mdep {NAME} -n {NAMESPACE}",
            f"kubectl patch mdep {NAME} -n {NAMESPACE} --type=merge -p '{slow}'   # slow: goes back, too",
            watch,
            f"make cluster-down INSTANCE={INSTANCE}   # the end",
        )
        minutes = TRAFFIC_SECONDS // 60
        self.console.print(
            f"\nEverything is still up; the traffic goes on for up to {minutes} minutes. Next:"
        )
        for line in lines:
            self.console.print(f"  {line}", soft_wrap=True, markup=False)

    # -- helpers -------------------------------------------------------------------------------------------

    def object(self) -> dict[str, Any]:
        """The ModelDeployment."""
        found: dict[str, Any] = json.loads(
            self.cluster.kubectl("get", "mdep", NAME, "-n", NAMESPACE, "-o", "json")
        )
        return found

    def wait_for(self, version: str) -> None:
        """Until that version serves everything."""
        end = time.monotonic() + READY_LIMIT
        while time.monotonic() < end:
            stable = (self.object().get("status") or {}).get("stable") or {}
            if stable.get("version") == version:
                return
            time.sleep(0.5)
        raise DemoError(f"{version} does not serve after {READY_LIMIT} s; see {self.folder / 'operator.log'}")

    def tool(self, name: str) -> str:
        """A program of this environment."""
        return str(Path(sys.executable).parent / name)

    def python(self, *arguments: str) -> None:
        """Runs a module of the example."""
        environment = os.environ | {"PYTHONPATH": str(ROOT / "examples")}
        subprocess.run([sys.executable, *arguments], env=environment, check=True)  # noqa: S603

    def background(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Starts a process in the namespace; it ends with the cluster."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / f"{name}.log").open("w") as log:
            self.cluster.popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


def main() -> int:
    """Runs the demo; 1 when something did not happen as told."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo, ends = Demo(), os.environ.get("DEMO_EXIT") == "1"
    try:
        demo.run()
    except KeyboardInterrupt:
        demo.console.print("\nstopped; the cluster is still up: make cluster-down")
        return 130
    except Exception as error:  # noqa: BLE001 - told to the user, whatever it is
        demo.console.print(f"[red]error:[/red] {error}", soft_wrap=True)
        return 1
    finally:
        if ends:
            demo.cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
