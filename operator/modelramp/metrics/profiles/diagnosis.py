"""Why there is no data of a revision: nothing is scraped, or its series do not say whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.metrics.port import Series
    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.service import ServiceRef

_SHOWN = 5


def probe(template: Template) -> str:
    """PromQL that tells what there is, whosever it is: one series per value of the labels that name arms.

    To be asked when a revision had no data in some looks, not with every look.
    """
    return f"count by ({','.join(template.arms.labels)}) ({template.selector})"


def explain(template: Template, service: ServiceRef, found: Iterable[Series]) -> str | None:
    """What keeps a revision's series from being found, for people, from the answer to `probe`.

    Returns:
        The cause and the next step; None = the revision has series.
    """
    arms = template.arms
    unknown = arms.unknown(service)
    if unknown:
        return unknown
    wanted = arms.key(service)
    keys = [arms.key_of(one.labels) for one in found]
    if wanted in keys:
        return None
    labels = " and ".join(arms.labels)
    if not keys:
        return f"Prometheus has no {template.selector} at all: is the source scraped? If it is, {arms.remedy}"
    others = sorted({key for key in keys if key is not None})
    if arms.merged and any(wanted.startswith(f"{other}/") for other in others):
        return arms.merged
    if not others:
        return f"Prometheus has {template.selector} without the labels {labels}: {arms.remedy}"
    shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
    rest = f"; other series have no {labels}: {arms.remedy}" if None in keys else ""
    return (
        f"Prometheus has {template.selector} by {labels} of {shown}, and none of {wanted}:"
        f" it had no request yet, or is not scraped{rest}"
    )
