"""From a metric's fields to its question: every mistake has a sentence that says what to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelramp.metrics.profiles import CATALOGUE, PROFILES
from modelramp.metrics.profiles.selection import NAMES, Selection
from modelramp.metrics.service import ServiceRef


def test_all_profiles_can_be_chosen() -> None:
    """Every check of every profile is what the lookup by two names gives, and custom and alert are there."""
    for profile, checks in PROFILES.items():
        for check, template in checks.items():
            assert Selection(profile=profile, check=check).template() is template
    assert set(NAMES) == {*CATALOGUE, "custom", "alert"}


def test_each_profile_has_its_traps_written_down() -> None:
    """The page in the docs has a part on every profile that can be chosen, and on none that cannot."""
    text = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text()
    parts = set(re.findall(r"^## ([a-z-]+)$", text, re.MULTILINE))
    assert parts == set(NAMES)
    assert set(re.findall(r"^\| \[`([a-z-]+)`\]", text, re.MULTILINE)) == set(NAMES)


def test_equal_selections_are_one_question() -> None:
    """Two rollouts that mean the same share one template; another limit of slowness is another question."""
    one = Selection(profile="istio", check="latency", slower_than=0.25)
    assert one.template() is Selection(profile="istio", check="latency", slower_than=0.25).template()
    assert one.template() is not PROFILES["istio"]["latency"]
    custom = Selection(profile="custom", check="misses", query="a_total", total="b_total")
    assert (
        custom.template()
        is Selection(profile="custom", check="misses", query="a_total", total="b_total").template()
    )


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (Selection(profile="istoi", check="latency"), "there is no profile istoi; there are envoy, istio"),
        (Selection(profile="kserve", check="error-rate"), "use what the router counts"),
        (Selection(profile="istio", check="latency", query="x"), "for yours use profile custom"),
        (Selection(profile="custom", check="misses"), "profile custom needs a query"),
        (Selection(profile="custom", check="misses", query="x"), "use method: Threshold, or add total"),
        (
            Selection(profile="custom", check="misses", query="x", total="rate(y[1m])"),
            r"total: rate\(\) gives",
        ),
        (Selection(profile="alert", check="SlowFraud"), "an alert is a gate"),
    ],
)
def test_a_mistake_in_a_metric_is_said_at_once(chosen: Selection, words: str) -> None:
    """What is wrong is found without a provider, and the message says what to write instead."""
    with pytest.raises(ValueError, match=words):
        chosen.template()


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (Selection(profile="envoy", check="latency"), "profile envoy has no gauge latency; it has none"),
        (Selection(profile="custom", check="f1", query="x", total="y"), "leave total out"),
    ],
)
def test_a_figure_is_not_a_count(chosen: Selection, words: str) -> None:
    """Counters cannot be held against a limit as they are, and that is said."""
    with pytest.raises(ValueError, match=words):
        chosen.value()


def test_figures() -> None:
    """A gauge of a profile and a user's own figure are asked for in the same way."""
    service = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a")
    gauge = Selection(profile="vllm", check="waiting-requests").value()
    assert "(vllm:num_requests_waiting{" in gauge.query([service])
    own = Selection(profile="custom", check="f1", query="f1_score").value()
    assert own.query([service]) == "(\nf1_score\n)"
