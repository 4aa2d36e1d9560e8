"""The operator's settings, from environment variables and flags of the same names.

`--prometheus-url` is `MODELRAMP_PROMETHEUS_URL`; a flag wins over the environment. What concerns one
rollout is no setting: it is in its ModelDeployment.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, CliImplicitFlag, NoDecode, SettingsConfigDict

_SECONDS = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


def _seconds(value: object) -> object:
    """`15`, `1.5s`, `10m` and `1h30m` in seconds; anything else is left for pydantic to refuse."""
    found = _SECONDS.match(value) if isinstance(value, str) else None
    if not found or not value:
        return value
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]


class Settings(BaseSettings):
    """Settings of one operator process. Durations are `15s`, `1m30s`, `2h`, or plain seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MODELRAMP_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        cli_prog_name="modelramp operator",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    prometheus_url: AnyHttpUrl = Field(
        description="Address of the Prometheus that has the metrics of the gateways, such as "
        "http://prometheus.monitoring:9090. Required."
    )
    prometheus_timeout: Seconds = Field(
        10.0, description="How long one query may take. A slower answer counts as no answer: rollouts hold."
    )
    scrape_interval: Seconds = Field(
        15.0, description="How often that Prometheus scrapes the gateways. It is not guessed."
    )
    ingestion_delay: Seconds | None = Field(
        None,
        description="How old counters must be to be taken as complete. Default: two scrape intervals.",
    )
    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces to serve, separated by commas. Default: all."
    )
    workers: int = Field(8, ge=1, le=64, description="ModelDeployments that are worked on at once.")
    resync_interval: Seconds = Field(
        600.0, description="How often the watched objects are listed to find deletions that a watch missed."
    )
    leader_elect: CliImplicitFlag[bool] = Field(
        default=True,
        description="Work only while holding a Lease, so that any number of replicas can run: one works, the "
        "others are ready to. Costs one write of the Lease each retry period. Off only for a single process.",
    )
    lease_namespace: str = Field("modelramp-system", min_length=1, description="Namespace of the Lease.")
    lease_name: str = Field(
        "modelramp", min_length=1, description="Name of the Lease; operators that share it share the work."
    )
    identity: str | None = Field(
        None,
        description="Name of this process in the Lease. One that starts under the name of the holder takes "
        "over at once, so it must outlive a restart and be nobody else's, such as the pod's name "
        "(metadata.name). Default: the host's name, and a restart waits for the Lease to run out.",
    )
    lease_duration: Seconds = Field(
        15.0, description="How long the others wait when the leader no longer renews the Lease."
    )
    lease_renew_deadline: Seconds = Field(
        10.0,
        validate_default=True,
        description="How long the leader works on without having been able to renew; below the duration, so "
        "that it has ended before another begins.",
    )
    lease_retry_period: Seconds = Field(
        2.0,
        validate_default=True,
        description="How often the leader renews, and the others look; below the renew deadline.",
    )
    http_address: str = Field(
        "127.0.0.1",
        description="Address that /healthz, /readyz, /metrics and /api/evidence listen on; 0.0.0.0 in a pod.",
    )
    http_port: int = Field(8085, ge=0, le=65535, description="Their port; 0 takes any free one.")
    log_level: LogLevel = Field("info", description="What is logged at least.")
    log_format: LogFormat = Field("json", description="json: one object a line.")
    kubeconfig: str | None = Field(
        None,
        validation_alias="kubeconfig",
        description="Credentials for the cluster; its variable is KUBECONFIG. Default: the pod's service "
        "account, or ~/.kube/config.",
    )
    context: str | None = Field(None, description="Context of the kubeconfig. Default: its current one.")

    @field_validator("lease_renew_deadline", "lease_retry_period")
    @classmethod
    def _below(cls, value: float, info: ValidationInfo) -> float:
        upper = "lease_duration" if info.field_name == "lease_renew_deadline" else "lease_renew_deadline"
        limit = info.data.get(upper, value + 1)
        if value >= limit:
            flag = upper.replace("_", "-")
            raise ValueError(f"{value:g} s is not below --{flag} ({limit:g} s); give a smaller one")
        return value

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
