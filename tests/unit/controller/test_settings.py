"""Settings from environment and flags, and what is said of those that are missing or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from modelramp.cli.operator import parse
from modelramp.controller.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://prometheus.monitoring:9090"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only the one setting that is required."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("MODELRAMP_PROMETHEUS_URL", URL)
    return monkeypatch


def test_only_the_address_of_prometheus_is_required() -> None:
    """Everything else has a default; all namespaces, 15 s scrapes, two scrapes of delay (None)."""
    settings = parse([])
    assert str(settings.prometheus_url) == f"{URL}/"
    assert (settings.namespaces, settings.scrape_interval, settings.ingestion_delay) == ((), 15.0, None)
    assert (settings.resync_interval, settings.http_address) == (600.0, "127.0.0.1")


def test_flags_have_the_names_of_the_variables_and_win(environment: pytest.MonkeyPatch) -> None:
    """`--scrape-interval` is `MODELRAMP_SCRAPE_INTERVAL`, and beats it."""
    environment.setenv("MODELRAMP_SCRAPE_INTERVAL", "30s")
    environment.setenv("MODELRAMP_WORKERS", "3")
    assert parse([]).scrape_interval == 30.0
    settings = parse(["--scrape-interval", "1s", "--namespaces", "ml, shop"])
    assert (settings.scrape_interval, settings.workers) == (1.0, 3)
    assert settings.namespaces == ("ml", "shop")


def test_the_leader_is_elected_unless_told_otherwise() -> None:
    """On by default with the Lease modelramp-system/modelramp; `--no-leader-elect` turns it off."""
    settings = parse([])
    assert (settings.leader_elect, settings.lease_namespace, settings.lease_name) == (
        True,
        "modelramp-system",
        "modelramp",
    )
    assert (settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period) == (
        15,
        10,
        2,
    )
    assert not parse(["--no-leader-elect"]).leader_elect


@pytest.mark.parametrize(
    ("text", "seconds"), [("15", 15.0), ("1.5s", 1.5), ("10m", 600.0), ("1h30m", 5400.0), ("0.2", 0.2)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Go's form as in the API, and plain seconds."""
    assert parse(["--resync-interval", text]).resync_interval == seconds


def test_the_standard_kubeconfig_variable_is_read(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KUBECONFIG as everywhere, and its flag before it."""
    environment.setenv("KUBECONFIG", str(tmp_path))
    assert parse([]).kubeconfig == str(tmp_path)
    assert parse(["--kubeconfig", "/elsewhere"]).kubeconfig == "/elsewhere"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--scrape-interval", "0"], "--scrape-interval (MODELRAMP_SCRAPE_INTERVAL)"),
        (["--scrape-interval", "soon"], "--scrape-interval (MODELRAMP_SCRAPE_INTERVAL)"),
        (["--prometheus-url", "prometheus:9090"], "--prometheus-url (MODELRAMP_PROMETHEUS_URL)"),
        (["--workers", "0"], "--workers (MODELRAMP_WORKERS)"),
        (["--http-port", "70000"], "--http-port (MODELRAMP_HTTP_PORT)"),
        (["--lease-duration", "10s"], "--lease-renew-deadline (MODELRAMP_LEASE_RENEW_DEADLINE)"),
        (["--lease-retry-period", "10s"], "--lease-retry-period (MODELRAMP_LEASE_RETRY_PERIOD)"),
    ],
)
def test_a_wrong_setting_is_named_with_flag_and_variable(
    flags: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program ends with 2, and says which setting is wrong, and where it is set."""
    with pytest.raises(typer.Exit) as caught:
        parse(flags)
    assert caught.value.exit_code == 2
    assert named in capsys.readouterr().err


def test_a_missing_setting_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an address of Prometheus the operator does not start, and says how to give one."""
    environment.delenv("MODELRAMP_PROMETHEUS_URL")
    with pytest.raises(typer.Exit):
        parse([])
    assert "--prometheus-url (MODELRAMP_PROMETHEUS_URL): Field required" in capsys.readouterr().err


def test_every_setting_is_documented() -> None:
    """No setting without a description: `--help` is the reference."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
