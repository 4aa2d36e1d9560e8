"""How a Service is named to a metrics profile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ServiceRef:
    """The Service of one revision."""

    namespace: str
    name: str
    port: int
