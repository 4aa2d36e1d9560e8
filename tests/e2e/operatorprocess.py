"""The operator as a process that tests start, kill and start again, with its service account's rights."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devcluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
PORT = 8085
READY_SECONDS = 30


class OperatorProcess:
    """One operator; `start` returns when it is ready."""

    def __init__(self, cluster: Cluster, folder: Path, *, prometheus: str | None = None) -> None:
        self._cluster = cluster
        self._prometheus = prometheus or cluster.prometheus_url
        self.log = folder / "operator.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, and waits until it has listed everything."""
        config = self._cluster.kubeconfig(service_account="modelramp-system/modelramp", inside=True)
        environment = {
            "KUBECONFIG": str(config),
            "MODELRAMP_PROMETHEUS_URL": self._prometheus,
            "MODELRAMP_SCRAPE_INTERVAL": "1s",
            "MODELRAMP_HTTP_PORT": str(PORT),
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
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"the operator is not ready after {READY_SECONDS} s:\n{self.tail()}")

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
