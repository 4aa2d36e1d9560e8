"""The command line: build, up, down, status, exec, kubeconfig, env, logs."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster import builds, netns, processes
from devcluster.bringup import Options
from devcluster.cluster import Cluster, dead_members, require_host
from devcluster.failure import DevclusterError
from devcluster.instance import LAYERS, Instance, with_implied
from devcluster.progress import elapsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DEFAULTS = Options()
_ROOT = Path(__file__).resolve().parents[2]


def _layers(text: str) -> tuple[str, ...]:
    try:
        return with_implied(tuple(part.strip() for part in text.split(",")))
    except DevclusterError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="devcluster",
        description="A real Kubernetes control plane as local processes, for tests and demos.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument(
            "--instance",
            default=os.environ.get("DEVCLUSTER_INSTANCE", "dev"),
            metavar="NAME",
            help="which instance (default: %(default)s)",
        )
        return command

    for name, run, text in (
        ("build", _build, "Build the Go parts into the cache; `up` does it too."),
        ("up", _up, "Build what is missing and start the instance."),
    ):
        command = add(name, run, text)
        command.add_argument(
            "--layers",
            type=_layers,
            default=LAYERS,
            metavar="LIST",
            help="of api, kube, mesh, metrics; each brings what it stands on (default: all)",
        )
    command.add_argument("--nodes", type=int, default=_DEFAULTS.nodes, help="nodes (default: %(default)s)")
    command.add_argument(
        "--pods-per-node", type=int, default=_DEFAULTS.pods_per_node, help="capacity (default: %(default)s)"
    )
    command.add_argument(
        "--scrape-interval", default=_DEFAULTS.scrape_interval, help="of Prometheus (default: %(default)s)"
    )
    command.add_argument(
        "--crash-backoff",
        type=float,
        default=_DEFAULTS.crash_backoff_s,
        metavar="SECONDS",
        help="first back-off of a crashing container (default: %(default)s, as the kubelet's)",
    )
    add("down", _down, "End the instance and remove all traces of it.")
    command = add("status", _status, "Say what runs, and where it is reached from the host.")
    command.add_argument("-o", "--output", choices=("text", "json"), default="text")
    command = add(
        "exec", _exec, "Run a command in the instance's network namespace, with an admin's KUBECONFIG."
    )
    command.add_argument("rest", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    command = add("kubeconfig", _kubeconfig, "Write a kubeconfig and print its path.")
    command.add_argument(
        "--inside",
        action="store_true",
        default=None,
        help="for use inside the namespace (default: where this runs)",
    )
    command.add_argument("--user", default="admin", help="for any user (default: admin)")
    command.add_argument("--group", action="append", dest="groups", help="of the user; may be repeated")
    command.add_argument("--service-account", metavar="NAMESPACE/NAME", help="for a service account instead")
    add("env", _env, 'Print what a shell needs to work with it: eval "$(… env)".')
    command = add("logs", _logs, "Show the log of a part, or list the parts.")
    command.add_argument("part", nargs="?")
    command.add_argument("-f", "--follow", action="store_true")
    return parser


def _build(arguments: argparse.Namespace) -> int:
    builds.build(arguments.layers)
    print(f"everything that {', '.join(arguments.layers)} need is in {builds.cache()}")
    return 0


def _up(arguments: argparse.Namespace) -> int:
    options = Options(
        nodes=arguments.nodes,
        pods_per_node=arguments.pods_per_node,
        scrape_interval=arguments.scrape_interval,
        crash_backoff_s=arguments.crash_backoff,
    )
    require_host()
    builds.build(arguments.layers)
    begin = time.monotonic()
    cluster = Cluster(arguments.instance, layers=arguments.layers, options=options)
    cluster.up()
    print(f"instance {arguments.instance} is up after {elapsed(time.monotonic() - begin)}")
    print(f'  eval "$(make -s cluster-env INSTANCE={arguments.instance})"')
    return 0


def _down(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    Cluster(arguments.instance).down()
    print(f"instance {arguments.instance} is down after {elapsed(time.monotonic() - begin)}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    """Exit code 0 when all parts run, 1 otherwise."""
    instance = Instance(arguments.instance)
    state = instance.load()
    members = state.members if state else []
    dead = dead_members(state) if state else []
    urls = {name: f"http://127.0.0.1:{port}" for name, port in (state.ports if state else {}).items()}
    if "kubernetes" in urls:
        urls["kubernetes"] = urls["kubernetes"].replace("http:", "https:")
    _, strangers = processes.in_namespaces([instance.namespace], state.nonce if state else "")
    report = {
        "instance": instance.name,
        "up": bool(state and state.ready and not dead),
        "layers": state.layers if state else [],
        "processes": [{"name": m.name, "pid": m.pid, "running": m.name not in dead} for m in members],
        "urls": urls,
        "kubeconfig": str(instance.folder / "kubeconfigs" / "host-admin"),
        "auditLog": str(instance.audit_log),
        "strangers": [{"pid": found.pid, "command": found.command} for found in strangers],
    }
    if arguments.output == "json":
        print(json.dumps(report, indent=2))
    elif state is None:
        print(f"instance {instance.name} does not exist")
    else:
        word = "up" if report["up"] else "broken; run down, then up"
        print(f"instance {instance.name} is {word}; layers {', '.join(state.layers) or 'none'}")
        for member in members:
            print(f"  {member.name:24} {'ended' if member.name in dead else f'pid {member.pid}'}")
        for name, url in urls.items():
            print(f"  {name:24} {url}")
        print(f"  export KUBECONFIG={report['kubeconfig']}")
        for found in strangers:
            print(f"  not ours: pid {found.pid}: {found.command}")
    return 0 if report["up"] else 1


def _exec(arguments: argparse.Namespace) -> int:
    command = [part for index, part in enumerate(arguments.rest) if part != "--" or index > 0]
    if not command:
        raise DevclusterError("exec needs a command, e.g.: python -m devcluster exec -- bash")
    require_host()
    cluster = Cluster(arguments.instance)
    cluster.state  # noqa: B018 - fails with a clear message when the instance is not up
    environment = cluster.environment()
    netns.enter(cluster.instance.namespace)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - that is what exec is for
    except OSError as error:
        raise DevclusterError(f"{command[0]} cannot be run: {error.strerror}") from error


def _kubeconfig(arguments: argparse.Namespace) -> int:
    path = Cluster(arguments.instance).kubeconfig(
        user=arguments.user,
        groups=arguments.groups,
        service_account=arguments.service_account,
        inside=arguments.inside,
    )
    print(path)
    return 0


def _env(arguments: argparse.Namespace) -> int:
    cluster = Cluster(arguments.instance)
    variables = {
        "KUBECONFIG": cluster.kubeconfig(),
        "KUBECACHEDIR": cluster.instance.folder / "kubectl-cache",
        "PROMETHEUS_URL": cluster.prometheus_url,
        "GATEWAY_URL": cluster.gateway_url,
        "DEVCLUSTER_INSTANCE": arguments.instance,
        "PYTHONPATH": f"{_ROOT / 'tests'}:{_ROOT / 'examples'}",
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(str(value))}")
    print(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    folder = Instance(arguments.instance).logs
    names = sorted(path.stem for path in folder.glob("*.log"))
    if arguments.part is None:
        print("\n".join(names))
        return 0
    if arguments.part not in names:
        raise DevclusterError(f"no log of {arguments.part!r}; there are: {', '.join(names) or 'none'}")
    path = folder / f"{arguments.part}.log"
    if arguments.follow:
        return subprocess.call(["tail", "-n", "+1", "-f", str(path)])
    sys.stdout.write(path.read_text(errors="replace"))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 done, 1 not up or failed, 2 wrong usage, 130 interrupted."""
    parsed = _parser().parse_args(arguments)
    try:
        result: int = parsed.run(parsed)
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"devcluster: interrupted; `down --instance {parsed.instance}` removes what is there",
            file=sys.stderr,
        )
        return 130
    return result
