"""Building the Go parts from published modules, once, into a cache outside the checkout.

A family is one go.mod: parts that agree on their Kubernetes version. The cache key is made of the go.mod, the
go.sum and the flags, so a changed pin builds anew and an unchanged one never does.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster import processes
from devcluster.failure import DevclusterError
from devcluster.progress import Step

_TOOLS = Path(__file__).parent / "tools"
_BUILD_LIMIT_S = 3600
_KUBE = "v1.36.3"
_STAMP = " ".join(
    f"-X {package}/version.{name}={value}"
    for package in ("k8s.io/component-base", "k8s.io/client-go/pkg")
    for name, value in (("gitVersion", _KUBE), ("gitMajor", "1"), ("gitMinor", "36"))
)
_ISTIO_CRDS = frozenset({"virtualservices", "destinationrules", "gateways"})
_GATEWAY_API_CRDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")


@dataclass(frozen=True, slots=True)
class Family:
    """Programs of one go.mod: `programs` maps a file name to its package."""

    name: str
    programs: dict[str, str]
    stamp: str = ""
    tags: str = ""

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum are."""
        return _TOOLS / self.name

    @property
    def flags(self) -> list[str]:
        """Arguments of `go build`."""
        return ["-mod=readonly", "-trimpath", f"-ldflags=-s -w {self.stamp}".rstrip(), f"-tags={self.tags}"]

    @property
    def output(self) -> Path:
        """The cache folder of exactly these pins and flags on this kind of machine."""
        return cache() / f"{self.name}-{self.key()}"

    def key(self) -> str:
        """Digest of all that determines the binaries."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        digest.update(json.dumps([self.flags, self.programs, platform.system(), platform.machine()]).encode())
        return digest.hexdigest()[:12]


FAMILIES = {
    family.name: family
    for family in (
        Family("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
        Family(
            "kube",
            {
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
            },
            stamp=_STAMP,
        ),
        Family(
            "istio",
            {"pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery"},
            stamp="-X istio.io/istio/pkg/version.buildVersion=1.31-eed52ebb66ad",
        ),
        Family(
            "prometheus",
            {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
            stamp="-X github.com/prometheus/common/version.Version=3.13.5",
            tags="remove_all_sd,enable_kubernetes_sd",
        ),
    )
}
_FAMILIES_OF_LAYER = {"api": ("etcd", "kube"), "mesh": ("istio",), "metrics": ("prometheus",)}


def cache() -> Path:
    """$MODELRAMP_CACHE, else modelramp in the user's cache folder."""
    named = os.environ.get("MODELRAMP_CACHE")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelramp"


def program(family: str, name: str) -> Path:
    """Path of a built program."""
    return FAMILIES[family].output / name


def mesh_crds() -> list[dict[str, Any]]:
    """The Istio and Gateway API CRDs that istiod needs, from the cache."""
    found: list[dict[str, Any]] = json.loads((FAMILIES["istio"].output / "crds.json").read_text())
    return found


def _needed(layers: tuple[str, ...]) -> list[Family]:
    names = {name for layer in layers for name in _FAMILIES_OF_LAYER.get(layer, ())}
    return [family for name, family in FAMILIES.items() if name in names]


def missing(layers: tuple[str, ...]) -> list[str]:
    """Programs that the layers need and the cache does not hold yet."""
    return [
        name
        for family in _needed(layers)
        for name in family.programs
        if not (family.output / name).exists() or (family.name == "istio" and not _crd_file(family).exists())
    ]


def build(layers: tuple[str, ...], *, quiet: bool = False) -> None:
    """Build what the layers need and the cache lacks; a build that was stopped goes on where it was.

    Raises:
        DevclusterError: Go is missing, or parts cannot be built; the others are built nevertheless.
    """
    if not missing(layers):
        return
    go = shutil.which("go")
    if go is None:
        raise DevclusterError(
            "Go is needed to build the control plane and is not on PATH; "
            "install Go 1.26 or newer from https://go.dev/dl/ or with your system's package manager"
        )
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Step("waiting for another build to end", quiet=quiet):
                fcntl.flock(lock, fcntl.LOCK_EX)
        _build_all(go, _needed(layers), quiet=quiet)


def _build_all(go: str, families: list[Family], *, quiet: bool) -> None:
    parts = [(family, name) for family in families for name in family.programs]
    failures: list[str] = []
    for number, (family, name) in enumerate(parts, 1):
        text = f"part {number}/{len(parts)} {name}"
        if (family.output / name).exists():
            continue
        try:
            with Step(text, quiet=quiet):
                _build_one(go, family, name)
        except DevclusterError as error:
            failures.append(f"{name}: {error}")
    for family in families:
        if family.name == "istio" and not _crd_file(family).exists():
            try:
                with Step("Istio and Gateway API CRDs", quiet=quiet):
                    _collect_crds(go, family)
            except DevclusterError as error:
                failures.append(f"CRDs: {error}")
    if failures:
        raise DevclusterError("these parts could not be built:\n" + "\n".join(failures))


def _go_environment() -> dict[str, str]:
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }


def _build_one(go: str, family: Family, name: str) -> None:
    """Compile one program; it appears under its name only when it is whole."""
    family.output.mkdir(parents=True, exist_ok=True)
    log = family.output / f"{name}.log"
    partial = family.output / f".{name}.partial"
    command = ["nice", go, "build", *family.flags, "-o", str(partial), family.programs[name]]
    with log.open("w") as output:
        try:
            done = subprocess.run(
                command,
                cwd=family.folder,
                env=_go_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_BUILD_LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise DevclusterError(
                f"not done after {_BUILD_LIMIT_S} s; run the build again to go on"
            ) from error
    if done.returncode != 0:
        raise DevclusterError(
            f"go build ended with {done.returncode}; the end of {log}:\n{processes.last_lines(log)}"
        )
    partial.replace(family.output / name)
    log.unlink()


def _crd_file(family: Family) -> Path:
    return family.output / "crds.json"


def _module_folder(go: str, family: Family, module: str) -> Path:
    """Where the module's files are; it is downloaded when Go's module cache does not have it."""
    done = subprocess.run(
        [go, "mod", "download", "-json", module],
        cwd=family.folder,
        env=_go_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise DevclusterError(
            f"module {module} cannot be downloaded: {done.stderr.strip() or done.stdout.strip()}"
        )
    return Path(json.loads(done.stdout)["Dir"])


def _collect_crds(go: str, family: Family) -> None:
    """Take the minimal set of CRDs out of the module cache; all 25 would cost the API server 100 MB more."""
    istio = _module_folder(go, family, "istio.io/istio") / "manifests/charts/base/files/crd-all.gen.yaml"
    gateway_api = _module_folder(go, family, "sigs.k8s.io/gateway-api") / "config/crd/standard"
    documents: list[dict[str, Any]] = [
        crd
        for crd in yaml.safe_load_all(istio.read_text())
        if crd
        and crd["spec"]["group"] == "networking.istio.io"
        and crd["spec"]["names"]["plural"] in _ISTIO_CRDS
    ]
    for plural in _GATEWAY_API_CRDS:
        file = gateway_api / f"gateway.networking.k8s.io_{plural}.yaml"
        documents += [crd for crd in yaml.safe_load_all(file.read_text()) if crd]
    expected = len(_ISTIO_CRDS) + len(_GATEWAY_API_CRDS)
    if len(documents) != expected:
        raise DevclusterError(f"expected {expected} CRDs in the module cache, found {len(documents)}")
    partial = family.output / ".crds.partial"
    partial.write_text(json.dumps(documents, default=str))
    partial.replace(_crd_file(family))
