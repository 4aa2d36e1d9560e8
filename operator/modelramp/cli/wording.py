"""Figures as people read them: shares, durations, times of day, commands to type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NONE = "–"
METRICS = {"error-rate": "error rate", "latency": "over 500 ms"}
"""Names of the checks on the screen."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_FINE = 0.001
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(text: str) -> str:
    """One line without control characters: texts of a cluster must not steer a terminal."""
    return _CONTROL.sub(" ", text)


def shortened(name: str, longest: int) -> str:
    """A name of at most so many characters; the end stays, since it tells revisions apart."""
    if len(name) <= longest:
        return name
    end = longest // 2
    return f"{name[: longest - end - 1]}…{name[-end:]}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 as `1.2 %`; shares under 0.1 % keep two digits; None: a dash."""
    if share is None:
        return NONE
    if 0 < share < _FINE:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def seconds(value: float) -> str:
    """A duration in its natural unit: `45 s`, `12 min`, `31 h`."""
    size, unit = _unit(value)
    return f"{value / size:.0f} {unit}"


def of(part: float, whole: float) -> str:
    """How much of a duration has passed, in the unit of the whole: `31 of 48 h`."""
    size, unit = _unit(whole, least=5)
    return f"{int(part / size)} of {whole / size:g} {unit}"


def _unit(value: float, *, least: int = 2) -> tuple[int, str]:
    """The largest unit of which there are so many, so that `90 s` and `36 h` stay what they are."""
    return next(((size, unit) for size, unit in _UNITS if value >= least * size), _UNITS[-1])


def clock(moment: datetime, *, now: datetime | None = None) -> str:
    """A time of day in UTC, with the date when it is not today's."""
    moment = moment.astimezone(UTC)
    if now is not None and abs(moment - now) >= timedelta(hours=20):
        return f"{moment:%a %d %b %H:%M} UTC"
    return f"{moment:%H:%M:%S} UTC"


def request(action: str, *, name: str, namespace: str) -> tuple[str, str]:
    """The command with which a person asks for something, in two parts that a line may end between."""
    return (
        f"kubectl annotate mdep {name} -n {namespace} --overwrite",
        f"modelramp.dev/request={action}/$(date +%s)",
    )
