"""An alert as a gate: whom it concerns, and that silence is told from an alert that does not exist."""

from __future__ import annotations

import pytest

from modelramp.metrics.port import Series
from modelramp.metrics.profiles import alert
from modelramp.metrics.service import ServiceRef

NEW = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a")


def _firing(name: str = "SlowFraud", **labels: str) -> Series:
    return Series({"__name__": "ALERTS", "alertname": name, "alertstate": "firing", **labels}, [(60, 1.0)])


def test_one_query_for_all_alerts() -> None:
    """Names are literal in the query, whatever is in them; what is only pending is not asked for."""
    assert alert.query(["Slow.Fraud", 'A"B']) == (
        r'ALERTS{alertstate="firing",alertname=~"Slow\\.Fraud|A\"B"}'
    )


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"severity": "page"},
        {"namespace": "ml"},
        {"namespace": "ml", "service": "fraud"},
        {"modelramp_dev_revision": "2.0.0-0a"},
        {"revision": "fraud-2"},
    ],
)
def test_it_concerns_the_revision_or_its_whole(labels: dict[str, str]) -> None:
    """Without labels that name something it concerns all; with them, what all of them name."""
    message = alert.firing([_firing(**labels)], "SlowFraud", NEW, at=60)
    assert message is not None
    assert message.startswith("alert SlowFraud fires")
    assert all(f'{label}="{value}"' in message for label, value in labels.items())


@pytest.mark.parametrize(
    "labels",
    [
        {"namespace": "shop"},
        {"namespace": "ml", "service": "search"},
        {"modelramp_dev_deployment": "fraud", "modelramp_dev_revision": "1.0.0-0b"},
    ],
)
def test_it_concerns_somebody_else(labels: dict[str, str]) -> None:
    """Another namespace's, model's or revision's alert never holds this rollout."""
    assert alert.firing([_firing(**labels)], "SlowFraud", NEW, at=60) is None


def test_it_is_over_when_its_series_ends() -> None:
    """Only the grid point that is asked for counts, and only this alert."""
    assert alert.firing([_firing()], "SlowFraud", NEW, at=120) is None
    assert alert.firing([_firing("Other")], "SlowFraud", NEW, at=60) is None


def test_an_alert_that_does_not_exist() -> None:
    """A gate that can never close is said, from the rules that Prometheus has loaded."""
    rules = {
        "status": "success",
        "data": {"groups": [{"rules": [{"type": "alerting", "name": "SlowFraud"}]}]},
    }
    assert alert.missing(rules, "SlowFraud") is None
    assert "no alerting rule SlowFrod" in (alert.missing(rules, "SlowFrod") or "")
