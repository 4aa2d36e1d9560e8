"""`make bench`: what the operator costs and how fast it is, measured on a real control plane of its own.

For each N a fresh control plane with pods that only report status, the operator with its service account's
rights, and a scripted Prometheus. All times are those of the API server's audit log.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
# This folder is no place to import from: its modules are `bench.…`.
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "examples")]

from bench import report  # noqa: E402 - the paths come first
from bench.scenario import Scenario, prepare  # noqa: E402
from devcluster import Cluster, builds  # noqa: E402
from devcluster.bringup import Options  # noqa: E402
from devcluster.failure import DevclusterError  # noqa: E402

if TYPE_CHECKING:
    from bench.scenario import Samples

INSTANCE = "bench"
ROUTER = "virtualservices.networking.istio.io"
# An object has up to three revisions at once; the nodes are two.
PODS_PER_OBJECT = 3
LIMIT_SECONDS = 1200


def measure(count: int, *, idle: float) -> Samples:
    """One N on a control plane of its own, which is gone afterwards.

    Raises:
        DevclusterError: the control plane did not start, or something was not done in time.
    """
    builds.build(("api", "kube", "mesh"), quiet=True)
    crd = next(item for item in builds.mesh_crds() if item["metadata"]["name"] == ROUTER)
    options = Options(pods_per_node=max(250, PODS_PER_OBJECT * count))
    with (
        Cluster(INSTANCE, layers=("kube",), options=options, quiet=True) as cluster,
        tempfile.TemporaryDirectory() as folder,
    ):
        prepare(cluster, json.dumps(crd))
        out = Path(folder) / "samples.json"
        command = [sys.executable, __file__, f"--deployments={count}", f"--idle={idle}", f"--inside={out}"]
        done = cluster.run(command, timeout=LIMIT_SECONDS, check=False)
        if done.returncode != 0:
            raise DevclusterError(f"N = {count}: {done.stderr.strip()}")
        found: Samples = json.loads(out.read_text())
        return found


def machine() -> str:
    """What this ran on, in a line."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    load = os.getloadavg()[0]
    kind = names[0].partition(":")[2].strip() if names else platform.machine()
    python = platform.python_version()
    return f"{os.cpu_count()} cores ({kind}), Python {python}, load {load:.1f} before"


def main() -> int:
    """Measures each N in turn; 1 when something did not happen in time."""
    parser = argparse.ArgumentParser(description="Measures the operator on a real control plane.")
    parser.add_argument("--deployments", default="1,10,100", metavar="N,N", help="ModelDeployments at once")
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS", help="idle time measured")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="where the tables go as Markdown")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="where the samples go as JSON")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(part) for part in options.deployments.split(",")]
    if options.inside:
        found = Scenario(Cluster(INSTANCE), count=counts[0], idle=options.idle).run()
        options.inside.write_text(json.dumps(found))
        return 0
    console, measured = Console(), dict[int, "Samples"]()
    begun = f"{time.strftime('%Y-%m-%d')}, {machine()}"
    for count in counts:
        console.print(f"N = {count} …")
        try:
            measured[count] = measure(count, idle=options.idle)
        except DevclusterError as error:
            console.print(f"error: {error}", style="red", highlight=False, markup=False)
            return 1
    console.print(report.table(measured), begun)
    if options.markdown:
        options.markdown.write_text(f"{begun}\n\n{report.markdown(measured)}")
    if options.samples:
        options.samples.write_text(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
