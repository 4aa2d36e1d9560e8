"""The real control plane with the operator's objects, trained models, and an operator that is running."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from e2e.driver import Driver
from e2e.operatorprocess import ROOT, OperatorProcess
from e2e.scriptedprometheus import ScriptedPrometheus
from modelramp.kube import login
from modelramp.kube.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from devcluster import Cluster

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The control plane with the CRDs and the operator's rights."""
    cluster.kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "charts/modelramp/files/rbac.yaml"))
    for name in ("modelversions", "modeldeployments"):
        cluster.kubectl("wait", "--for=create", f"crd/{name}.modelramp.dev", "--timeout=20s")
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}.modelramp.dev", "--timeout=20s")
    return cluster


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's models, trained, with their manifests."""
    folder = tmp_path_factory.mktemp("models")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "examples")}
    subprocess.run([sys.executable, "-m", "digits.train", str(folder)], env=environment, check=True)
    return folder


@pytest.fixture(scope="session")
def process(installed: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The operator of this session."""
    made = OperatorProcess(installed, tmp_path_factory.mktemp("operator"))
    yield made
    made.terminate()


@pytest.fixture
def operator(process: OperatorProcess) -> OperatorProcess:
    """The operator, running."""
    if not process.alive:
        process.start()
    return process


@pytest.fixture
def rollout(installed: Cluster, models: Path, operator: OperatorProcess) -> Iterator[Driver]:
    """A namespace of the test's own."""
    with Driver(installed, models, f"e2e-{os.getpid()}-{next(_NUMBERS)}") as driver:
        yield driver
    assert operator.alive, f"the operator ended:\n{operator.tail()}"


@pytest.fixture(scope="module")
def namespace(installed: Cluster) -> Iterator[str]:
    """A namespace for this module, on a cluster with our kinds."""
    name = f"kube-{uuid.uuid4().hex[:8]}"
    installed.kubectl("create", "namespace", name)
    yield name
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    """The real client, as an admin."""
    found = Client(await login.load(kubeconfig=str(cluster.kubeconfig())))
    yield found
    await found.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedPrometheus]:
    """The metrics provider of this module's operator."""
    with ScriptedPrometheus() as made:
        yield made


@pytest.fixture(scope="module")
def listener(
    installed: Cluster,
    process: OperatorProcess,
    provider: ScriptedPrometheus,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OperatorProcess]:
    """An operator that asks this provider, in place of the session's own."""
    process.terminate()
    made = OperatorProcess(installed, tmp_path_factory.mktemp("listener"), prometheus=provider.url)
    made.start()
    yield made
    made.terminate()


@pytest.fixture
def scripted(
    installed: Cluster, models: Path, listener: OperatorProcess, provider: ScriptedPrometheus
) -> Iterator[Driver]:
    """1.0.0 serves; every revision gets good requests until a test says otherwise."""
    provider.clear()
    with Driver(installed, models, f"scripted-{os.getpid()}-{next(_NUMBERS)}") as driver:
        driver.deployment("1.0.0", hold="2s", weights=(45, 55))
        yield driver
    assert listener.alive, f"the operator ended:\n{listener.tail()}"
