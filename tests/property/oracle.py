"""What may be believed of a candidate, counted from the scripted metrics alone; nothing of the product."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy import special

if TYPE_CHECKING:
    from datetime import datetime

    from support.meter import Meter

PROVED = math.log(20.0)


def log_evidence(n: int, k: int, limit: float) -> float:
    """Log of the e-value against a share of `limit` or more: Beta(1/2, 20) cut off at the limit."""
    a, b = 0.5 + k, 20.0 + n - k
    after = special.betaln(a, b) + _log_cdf(a, b, limit)
    before = special.betaln(0.5, 20.0) + _log_cdf(0.5, 20.0, limit)
    return float(after - before - k * math.log(limit) - (n - k) * math.log1p(-limit))


def _log_cdf(a: float, b: float, at: float) -> float:
    found = float(special.betainc(a, b, at))
    return math.log(found) if found > 0.0 else -math.inf


def counted(meter: Meter, service: str, check: str, *, since: datetime, until: datetime) -> tuple[int, int]:
    """Requests and bad ones of a revision after `since` (the zero of the counters), up to `until`."""
    n = k = 0
    for at in range(int(since.timestamp()) + 1, int(until.timestamp()) + 1):
        moment = meter.history.get(at)
        if moment is None or not moment.there:
            continue
        requests = moment.requests(service)
        n += requests
        share = next(
            (
                share
                for (version, name), share in moment.bad.items()
                if name == check and f"-{version.replace('.', '-')}-" in service
            ),
            0.0,
        )
        k += round(requests * share)
    return n, k


def may_be_proved(
    meter: Meter, service: str, limit: float, *, since: datetime, until: datetime
) -> str | None:
    """Why no reading of the counts proves every check; None when one may. Dispersion only asks for more."""
    for check in ("error-rate", "latency"):
        n, k = counted(meter, service, check, since=since, until=until)
        if log_evidence(n, k, limit) < PROVED:
            return f"{check}: {k} bad of {n} requests since {since:%H:%M:%S} do not prove under {limit}"
    return None
