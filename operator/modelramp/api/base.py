"""What every API type shares: strict fields, camelCase on the wire, Go durations.

The pydantic models in this package are the only source of the CRDs (see `crd.py`). Markers that only the API
server understands (`x-kubernetes-…`) are attached here, next to the field they concern.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

GROUP = "modelramp.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
DURATION_MESSAGE = "must be a duration of at least 1s, in hours, minutes and seconds, such as 90s, 30m or 24h"


class Record(BaseModel):
    """An object of the API: unknown fields are refused, values never change after parsing."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        validate_default=True,
    )

    def wire(self) -> dict[str, Any]:
        """The object as it goes over the wire: camelCase, JSON types only, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rule(expression: str, message: str, *, field: str | None = None, dynamic: bool = False) -> dict[str, Any]:
    """A CEL rule of the API server.

    Args:
        expression: CEL over `self` (and `oldSelf`).
        message: what a person reads when the rule refuses; a CEL expression when `dynamic`.
        field: path the message is reported at, relative to the object, such as `.steps`.
        dynamic: the message is computed (`messageExpression`).
    """
    found: dict[str, Any] = {"rule": expression, ("messageExpression" if dynamic else "message"): message}
    if field:
        found["fieldPath"] = field
    return found


def rules(*items: dict[str, Any], **extra: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON schema values
    """`json_schema_extra` that carries CEL rules and other schema keywords."""
    return {"x-kubernetes-validations": list(items), **extra}


def parse_duration(value: object) -> timedelta:
    """Reads `1h30m`, `90s` and the like.

    Raises:
        ValueError: the text is no such duration, or shorter than a second.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found or not value:
        raise ValueError(DURATION_MESSAGE)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    parsed = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if parsed < timedelta(seconds=1):
        raise ValueError(DURATION_MESSAGE)
    return parsed


def format_duration(value: timedelta) -> str:
    """The shortest exact form: `24h`, `1h30m`, `90s` becomes `1m30s`."""
    seconds = int(value.total_seconds())
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 24,
            "x-kubernetes-validations": [
                rule(
                    # The form is checked first, so that the message is ours and not the parser's.
                    "self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self.size() > 0"
                    " && duration(self) >= duration('1s')",
                    DURATION_MESSAGE,
                )
            ],
        }
    ),
]


def parse_time(value: object) -> datetime:
    """Reads RFC 3339; the result is in UTC.

    Raises:
        ValueError: the text is no time, or has no zone.
    """
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if parsed.tzinfo is None:
        raise ValueError(f"time {value} has no zone")
    return parsed.astimezone(UTC)


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: what is compared after a restart must be what was written."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Name = Annotated[str, Field(min_length=1, max_length=253)]
Text = Annotated[str, Field(max_length=2048)]
