"""The objects that concern one ModelDeployment, as last seen. Plain dicts, never mutated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look into the store.

    Attributes:
        body: the ModelDeployment.
        version: the ModelVersion it names; None when there is none.
        apex: the Service of its name, whoever owns it.
        route: the VirtualService of its name, whoever owns it.
        rivals: other VirtualServices of the whole cluster that share a host with it.
    """

    body: Body
    version: Body | None = None
    deployments: Sequence[Body] = ()
    pods: Sequence[Body] = ()
    slices: Sequence[Body] = ()
    apex: Body | None = None
    route: Body | None = None
    rivals: Sequence[Body] = ()
