"""What all tests share: the control plane, that a test which needs it may not be skipped on CI, and examples.

On CI generated examples are the same in each run; elsewhere they are new ones, and a failure can be repeated.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from devcluster.cluster import Cluster

settings.register_profile(
    "ci", max_examples=100, derandomize=True, database=None, deadline=None, print_blob=True
)
settings.register_profile("local", print_blob=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The real control plane: the one this runs in (DEVCLUSTER_INSTANCE), else one for this session alone."""
    from devcluster.cluster import Cluster  # noqa: PLC0415 - unit tests need nothing of it

    named = os.environ.get("DEVCLUSTER_INSTANCE")
    if named:
        yield Cluster(named)
        return
    with Cluster("test") as started:
        yield started


def pytest_configure() -> None:
    """Tell asyncio that there is no loop yet: until 3.14 asking for one makes one, which nobody closes.

    pytest-asyncio asks. The loop would be reported as a leak of whichever test runs when it is collected.
    """
    if sys.version_info < (3, 14):
        asyncio.set_event_loop(None)


def _on_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


# the tests' own settings build on the profile; --hypothesis-profile has the last word
settings.load_profile("ci" if _on_ci() else "local")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """On CI a skipped test of the control plane has failed: it proved nothing."""
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail") and _on_ci() and item.get_closest_marker("cluster"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped on CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, pytest.CollectReport]:
    """On CI no module may skip itself: that would hide its tests before their marks are seen."""
    report: pytest.CollectReport = yield
    if report.skipped and _on_ci():
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} may not be skipped on CI: {report.longrepr}"
    return report
