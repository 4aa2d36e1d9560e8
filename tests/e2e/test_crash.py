"""The operator is killed before and after each of its writes, and ends where it would have ended anyway.

For each story one run without a crash tells how many writes there are and what is to come out. Then, for
each write and each side of it, the same story with the operator killed there and started again.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest
import yaml

from e2e.apiproxy import ApiProxy, Side, Trap
from e2e.driver import NAME, Driver
from e2e.operatorprocess import ACCOUNT, OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from devcluster import Cluster

pytestmark = [pytest.mark.cluster]

_log = logging.getLogger(__name__)
_NUMBERS = itertools.count(1)
_MAKING = threading.Lock()

OLD, NEW = "1.0.0", "1.1.0"
# One crash in so many is in `make test`; the others are in `make test-full`.
THIN = 5
QUIET_SECONDS = 0.7
AT_ONCE = 4


@dataclass(frozen=True)
class Story:
    """Something that is to come to the same end with and without a crash.

    Attributes:
        name: of the story.
        prepared: brings a namespace to where the story begins.
        told: what people do; it may wait for the operator.
        ended: whether the story is over.
        spec: of the ModelDeployment.
    """

    name: str
    prepared: Callable[[Driver], None]
    told: Callable[[Driver, Until], None]
    ended: Callable[[Driver], bool]
    spec: dict[str, Any] = field(default_factory=dict)


class Until:
    """Waits for something, and meanwhile starts the operator again when the trap has ended it."""

    def __init__(self, operator: OperatorProcess, trap: Trap) -> None:
        self._operator = operator
        self._trap = trap
        self.restarted = False

    def __call__(self, rollout: Driver, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits.

        Raises:
            AssertionError: it did not come, or the operator ended by itself.
        """
        rollout.until(lambda: self._started() and true(), seconds, what)

    def _started(self) -> bool:
        if not self._operator.alive:
            assert not self.restarted, f"the operator ended by itself:\n{self._operator.tail()}"
            if not self._trap.sprung:
                # Dead, and the proxy is about to say so.
                return False
            self._operator.start()
            self.restarted = True
        return True


@dataclass
class Bench:
    """The operator behind the proxy, and namespaces for stories."""

    cluster: Cluster
    models: Path
    operator: OperatorProcess
    proxy: ApiProxy
    drivers: list[Driver] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for driver in self.drivers:
            driver.__exit__()

    def prepare(self, story: Story) -> Driver:
        """A namespace in which the story can begin."""
        # Each driver writes the admin's kubeconfig anew, and reads it.
        with _MAKING:
            driver = Driver(self.cluster, self.models, f"crash-{os.getpid()}-{next(_NUMBERS)}")
        self.drivers.append(driver.__enter__())
        body = yaml.safe_load((self.models / "modeldeployment.yaml").read_text())
        template = body["spec"]["workload"]["template"]
        template["metadata"]["annotations"] = {"devcluster.modelramp.dev/status-only": "true"}
        spec = {"replicas": 1, "drain": "1s", "workload": {"template": template}, **story.spec}
        driver.deployment(OLD, hold="10m", weights=(40,), **spec)
        story.prepared(driver)
        return driver

    def run(self, story: Story, driver: Driver, trap: Trap, *, ended: Callable[[], bool]) -> None:
        """Tells the story until it is over, with a crash where the trap says."""
        self.proxy.trap = watched = Trap(namespace=driver.namespace)
        quiet(watched)
        self.proxy.trap = trap
        until = Until(self.operator, trap)
        story.told(driver, until)
        what = f"{story.name}: the end that it has without a crash"
        until(driver, lambda: trap.passed and ended(), 40, what)


def quiet(trap: Trap) -> None:
    """Waits until nothing has been written for a while."""
    end, seen, since = time.monotonic() + 20, -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        assert time.monotonic() < end, f"does not come to rest: {trap.writes}"
        if len(trap.writes) != seen:
            seen, since = len(trap.writes), time.monotonic()
        time.sleep(0.02)


def end_of(rollout: Driver) -> dict[str, Any]:
    """What must not depend on a crash: everything but times."""
    body = rollout.body
    status, rollback = body.get("status") or {}, body["spec"].get("rollback") or {}
    return {
        "weights": rollout.weights,
        "rollback": {key: rollback.get(key) for key in ("rejectedRevision", "toRevision", "reason")},
        "revisions": {
            key: (status.get(key) or {}).get("revision") for key in ("stable", "previous", "candidate")
        },
        "rejected": [
            [entry["revision"], entry["toRevision"], entry["reason"]]
            for entry in status.get("rejectedRevisions") or []
        ],
        "history": [[entry["revision"], entry["outcome"]] for entry in status.get("history") or []],
        "request": (status.get("lastRequest") or {}).get("result"),
        # What is said of the analysis is that of the last write: an idle operator writes no other.
        "conditions": {
            item["type"]: [item["status"], item["type"] == "AnalysisPassed" or item["reason"]]
            for item in status["conditions"]
        },
        "phase": status.get("phase"),
        "replicas": {
            item.metadata.name: item.spec.replicas
            for item in rollout.apps.list_namespaced_deployment(rollout.namespace).items
        },
        "apex": rollout.core.read_namespaced_service(NAME, rollout.namespace).spec.selector,
    }


def is_at(rollout: Driver, end: dict[str, Any]) -> bool:
    """Whether this is where it stands."""
    return end_of(rollout) == end


def path_of(rollout: Driver) -> list[dict[str, int]]:
    """The weights that users had one after the other; each write must sum to 100."""
    seen = [write.weights for write in rollout.writes]
    assert all(sum(weights.values()) == 100 for weights in seen), seen
    return [weights for weights, _ in itertools.groupby(seen)]


# -- the stories -------------------------------------------------------------------------------------------


def request(rollout: Driver, text: str, *, override: bool = False) -> None:
    """A request by annotation, by a person who may override."""
    notes = {"modelramp.dev/request": text, "modelramp.dev/request-override": "true" if override else None}
    rollout.custom.patch_namespaced_custom_object(
        *("modelramp.dev", "v1alpha1", rollout.namespace, "modeldeployments", NAME),
        {"metadata": {"annotations": notes}},
    )


def stands(rollout: Driver) -> None:
    """The new version has its first weight."""
    rollout.version(NEW)
    rollout.until(lambda: rollout.share(NEW) == 40, 30, "40 %")


def bakes(rollout: Driver) -> None:
    """The new version has been promoted and is baking."""
    stands(rollout)
    request(rollout, "promote/1", override=True)
    rollout.until(lambda: rollout.serving == NEW and rollout.share(NEW) == 100, 30, "promoted")


def promoted(rollout: Driver, until: Until) -> None:
    """A new version; and a person who lets it go all the way."""
    rollout.version(NEW)
    until(rollout, lambda: rollout.share(NEW) == 40, 40, "40 %")
    request(rollout, "promote/1", override=True)


def aborted(rollout: Driver, _until: Until) -> None:
    """A person takes it back."""
    request(rollout, "abort/2")


def is_promoted(rollout: Driver) -> bool:
    """The bake is over, and the old version let go."""
    status = rollout.status
    return rollout.serving == NEW and not status.get("previous") and rollout.replicas(OLD) == 0


def is_back(rollout: Driver) -> bool:
    """The new version is rejected and scaled down."""
    return rollout.condition("RolledBack")["status"] == "True" and rollout.replicas(NEW) == 0


STORIES = {
    story.name: story
    for story in (
        Story(
            name="promotion",
            prepared=lambda _: None,
            told=promoted,
            ended=is_promoted,
            spec={"rollbackPolicy": {"keepPrevious": "2s"}},
        ),
        Story(name="rollback", prepared=stands, told=aborted, ended=is_back),
        Story(
            name="rollback-in-the-bake",
            prepared=bakes,
            told=aborted,
            ended=is_back,
            spec={"rollbackPolicy": {"keepPrevious": "30m"}},
        ),
    )
}


@pytest.fixture(scope="module")
def proxied(
    installed: Cluster, process: OperatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, ApiProxy]]:
    """The operator behind the proxy, instead of the session's one."""
    process.terminate()
    folder = tmp_path_factory.mktemp("crash")
    config = folder / "kubeconfig"
    operator = OperatorProcess(installed, folder, kubeconfig=config)
    with ApiProxy(installed, ACCOUNT, operator.kill) as proxy:
        config.write_text(proxy.kubeconfig)
        try:
            yield operator, proxy
        finally:
            operator.terminate()


@pytest.fixture
def bench(installed: Cluster, models: Path, proxied: tuple[OperatorProcess, ApiProxy]) -> Iterator[Bench]:
    """The operator, running, and nothing prepared."""
    operator, proxy = proxied
    if not operator.alive:
        operator.start()
    with Bench(cluster=installed, models=models, operator=operator, proxy=proxy) as made:
        yield made


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
@pytest.mark.parametrize(
    "thin",
    [
        pytest.param(True, id="some", marks=pytest.mark.timeout(240)),
        pytest.param(False, id="others", marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
    ],
)
def test_crash_at_each_write(bench: Bench, story: Story, *, thin: bool) -> None:
    """The end, and the weights on the way to it, are those of a run without a crash."""
    plain = bench.prepare(story)
    trap = Trap(namespace=plain.namespace)
    bench.run(story, plain, trap, ended=lambda: story.ended(plain))
    quiet(trap)
    end, path, count = end_of(plain), path_of(plain), len(trap.writes)
    _log.info("%s: %s writes: %s; ends as %s by %s", story.name, count, trap.writes, end, path)
    points = [(at, side) for at in range(1, count + 1) for side in Side]
    chosen = [point for index, point in enumerate(points) if (index % THIN == 1) is thin]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        drivers = list(pool.map(lambda _: bench.prepare(story), chosen))
    wrong: list[str] = []
    crashes = 0
    for (at, side), driver in zip(chosen, drivers, strict=True):
        trap = Trap(namespace=driver.namespace, at=at, side=side)
        begun = time.monotonic()
        try:
            bench.run(story, driver, trap, ended=partial(is_at, driver, end))
        except AssertionError as error:
            wrong.append(f"{side} write {at}: {differences(end, end_of(driver))}; {trap.writes}; {error}")
        crashes += trap.sprung
        _log.info("%s write %s: %.1f s, %s", side, at, time.monotonic() - begun, trap.writes)
        if not bench.operator.alive:
            bench.operator.start()
    time.sleep(QUIET_SECONDS)
    for (at, side), driver in zip(chosen, drivers, strict=True):
        if path_of(driver) != path:
            wrong.append(f"{side} write {at}: the weights were {path_of(driver)} and not {path}")
        if end_of(driver) != end:
            wrong.append(f"{side} write {at}: does not stay: {differences(end, end_of(driver))}")
    assert not wrong, "\n".join(wrong)
    # A run may need a write or two less than the first; it then has none to crash at.
    assert 2 * crashes > len(chosen), f"{crashes} crashes of {len(chosen)}"


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What is found where it is not what is wanted."""
    return {key: value for key, value in found.items() if value != wanted[key]}
