"""The operator as a process that tests start, kill and start again, with its service account's rights."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

    from devcluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
PORT = 8085
READY_SECONDS = 30
ACCOUNT = "modelramp-system/modelramp"


class OperatorProcess:
    """One operator; `start` returns when it is ready.

    Args:
        cluster: where it works.
        folder: where its log goes.
        prometheus: address of another Prometheus than the cluster's.
        name: its name in the Lease; it takes over at once from itself when it is started again.
        port: of its HTTP server.
        kubeconfig: other credentials and address than those of its service account at the API server.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        *,
        prometheus: str | None = None,
        name: str = "operator",
        port: int = PORT,
        kubeconfig: Path | None = None,
    ) -> None:
        self._cluster = cluster
        self._prometheus = prometheus or cluster.prometheus_url
        self._name = name
        self._port = port
        self._kubeconfig = kubeconfig
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, and waits until it has listed everything."""
        config = self._kubeconfig or self._cluster.kubeconfig(service_account=ACCOUNT, inside=True)
        environment = {
            "KUBECONFIG": str(config),
            "MODELRAMP_PROMETHEUS_URL": self._prometheus,
            "MODELRAMP_SCRAPE_INTERVAL": "1s",
            "MODELRAMP_HTTP_PORT": str(self._port),
            "MODELRAMP_IDENTITY": self._name,
        }
        with self.log.open("ab") as log:
            self._process = self._cluster.popen(
                [str(Path(sys.executable).parent / "modelramp"), "operator"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            assert self.alive, f"the operator ended at once:\n{self.tail()}"
            try:
                self._get("readyz")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"the operator is not ready after {READY_SECONDS} s:\n{self.tail()}")

    def metrics(self) -> str:
        """What it says about itself, in Prometheus' text format."""
        return self._get("metrics")

    @property
    def leads(self) -> bool:
        """Whether it is the one that works."""
        return "modelramp_leader 1.0" in self.metrics().splitlines()

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{path}", timeout=1) as answer:
            text: str = answer.read().decode()
        return text

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, as Kubernetes does."""
        if self._process is not None and self.alive:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )
