"""Up, down, side by side, and after crashes: always whole, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devcluster import Cluster, DevclusterError, netns, processes
from devcluster.cli import main
from devcluster.instance import Instance, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.cluster
_TESTS = Path(__file__).parents[2]
_NAME = f"life-{os.getpid()}"


def _assert_nothing_left(name: str, nonce: str) -> None:
    """No namespace, no file, no process with the nonce."""
    instance = Instance(name)
    assert netns.names(instance.namespace) == []
    assert not instance.folder.exists()
    marker = nonce.encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                assert marker not in (entry / "environ").read_bytes(), f"pid {entry.name} is left"
            except OSError:
                continue


@pytest.fixture
def clean_up() -> Iterator[None]:
    """Take the test's instances down even when it failed."""
    yield
    for name in (_NAME, f"{_NAME}-b"):
        Cluster(name, quiet=True).down()


@pytest.mark.usefixtures("clean_up")
def test_two_instances_do_not_see_each_other() -> None:
    """Two instances run at once; kubectl from the host reaches each; one's end does not touch the other."""
    first = Cluster(_NAME, layers=["api"], quiet=True)
    second = Cluster(f"{_NAME}-b", layers=["api"], quiet=True)
    first.up()
    second.up()
    first.kubectl("create", "namespace", "only-here")
    assert "only-here" in first.kubectl("get", "namespaces")
    assert "only-here" not in second.kubectl("get", "namespaces")
    nonce = second.state.nonce
    second.down()
    _assert_nothing_left(f"{_NAME}-b", nonce)
    assert "only-here" in first.kubectl("get", "namespaces")
    nonce = first.state.nonce
    first.down()
    first.down()
    _assert_nothing_left(_NAME, nonce)


@pytest.mark.usefixtures("clean_up")
def test_layers_can_be_added_to_a_running_instance() -> None:
    """A second `up` keeps what runs and starts what is missing."""
    Cluster(_NAME, layers=["api"], quiet=True).up()
    before = Instance(_NAME).load()
    whole = Cluster(_NAME, layers=["kube"], quiet=True)
    whole.up()
    assert before is not None
    assert [m for m in before.members if m in whole.state.members] == before.members
    assert whole.kubectl("get", "nodes", "-o", "name").split() == ["node/node-1", "node/node-2"]


@pytest.mark.usefixtures("clean_up")
def test_killed_tool_leaves_nothing_after_down(eventually: Callable[..., None]) -> None:
    """`up` killed with SIGKILL half way: `down` ends what had been started."""
    command = [sys.executable, "-m", "devcluster", "up", "--instance", _NAME, "--layers", "kube"]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    instance = Instance(_NAME)

    def half_up() -> bool:
        state = instance.load()
        return state is not None and len(state.members) >= 2

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
        eventually(half_up, what="etcd and kube-apiserver to be started")
        tool.send_signal(signal.SIGKILL)
    state = instance.load()
    assert state is not None
    assert not state.ready
    assert all(processes.alive(member) for member in state.members)
    assert main(["down", "--instance", _NAME]) == 0
    _assert_nothing_left(_NAME, state.nonce)


@pytest.mark.usefixtures("clean_up")
def test_orphaned_pods_are_ended() -> None:
    """Agent killed with SIGKILL: its pods live on, and `down` ends them by their nonce."""
    cluster = Cluster(_NAME, layers=["kube"], quiet=True)
    cluster.up()
    cluster.kubectl("run", "sleeper", "--image=any", "--command", "--", "sleep", "1000")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s")
    state = cluster.state
    agent = next(member for member in state.members if member.name == "node-agent")
    os.kill(agent.pid, signal.SIGKILL)
    pods = netns.names(cluster.instance.pod_namespace_prefix)
    ours, _ = processes.in_namespaces(pods, state.nonce)
    assert [found.command for found in ours] == ["sleep 1000"]
    cluster.down()
    assert not any(processes.alive(found) for found in ours)
    _assert_nothing_left(_NAME, state.nonce)


@pytest.mark.usefixtures("clean_up")
def test_a_strangers_process_is_left_alone() -> None:
    """A process in the namespace that the tool did not start is named, survives, and keeps the namespace."""
    cluster = Cluster(_NAME, layers=["api"], quiet=True)
    cluster.up()
    nonce = cluster.state.nonce
    with netns.inside(cluster.instance.namespace):
        stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        with pytest.raises(DevclusterError, match=rf"left alone:\n    pid {stranger.pid}: sleep 1000"):
            cluster.down()
        assert stranger.poll() is None
        assert netns.exists(cluster.instance.namespace)
    finally:
        stranger.kill()
        stranger.wait()
    cluster.down()
    _assert_nothing_left(_NAME, nonce)


@pytest.mark.usefixtures("clean_up")
def test_a_recycled_pid_is_not_signalled() -> None:
    """A record whose pid now belongs to a later process ends nobody."""
    cluster = Cluster(_NAME, layers=["api"], quiet=True)
    cluster.up()
    with subprocess.Popen(["sleep", "1000"]) as other:
        state = cluster.state
        state.members.append(Member("ghost", other.pid, 1))
        cluster.instance.save(state)
        cluster.down()
        assert other.poll() is None
        other.kill()


@pytest.mark.usefixtures("clean_up")
def test_a_dead_part_is_seen_and_mended(capsys: pytest.CaptureFixture[str]) -> None:
    """`status` says which part ended; `up` starts the instance anew."""
    cluster = Cluster(_NAME, layers=["api"], quiet=True)
    cluster.up()
    etcd = next(member for member in cluster.state.members if member.name == "etcd")
    os.kill(etcd.pid, signal.SIGKILL)
    while processes.alive(etcd):
        time.sleep(0.01)
    assert main(["status", "--instance", _NAME, "-o", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [p["name"] for p in report["processes"] if not p["running"]] == ["etcd"]
    cluster.up()
    assert main(["status", "--instance", _NAME, "-o", "json"]) == 0
    assert "default" in cluster.kubectl("get", "namespaces")


@pytest.mark.usefixtures("clean_up")
def test_failed_part_shows_the_end_of_its_log() -> None:
    """A part that ends while it is waited for is named with its last words."""
    instance = Instance(_NAME)
    nonce = instance.create().nonce
    netns.make_instance(instance.namespace)
    command = ["sh", "-c", "echo listen: address already in use; exit 1"]
    member = processes.spawn("part", command, instance=instance, nonce=nonce)
    with pytest.raises(DevclusterError, match=r"part ended while waiting for it(.|\n)*already in use"):
        processes.wait_for("it", lambda: False, limit=30, watched=[member], logs=instance.logs)


@pytest.mark.usefixtures("clean_up")
def test_a_wait_has_a_limit() -> None:
    """A part that runs but never gets ready ends the wait, with its log."""
    instance = Instance(_NAME)
    nonce = instance.create().nonce
    netns.make_instance(instance.namespace)
    command = ["sh", "-c", "echo still trying; exec sleep 100"]
    member = processes.spawn("part", command, instance=instance, nonce=nonce)
    try:
        with pytest.raises(DevclusterError, match=r"waited 0 s for it in vain(.|\n)*still trying"):
            processes.wait_for("it", lambda: False, limit=0.3, watched=[member], logs=instance.logs)
    finally:
        processes.stop([member], grace=1)
    assert not processes.alive(member)


def test_without_root_the_tool_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is not root gets told, and nothing is started."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["up", "--instance", _NAME]) == 1
    assert "needs root" in capsys.readouterr().err


def test_without_ip_the_tool_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing `ip` is named with the package that has it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["up", "--instance", _NAME]) == 1
    assert "`ip` is missing; install the package iproute2" in capsys.readouterr().err
