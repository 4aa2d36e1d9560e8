"""What to ask a provider for, and how to read the answer: one module per source of series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.metrics.profiles import envoy

if TYPE_CHECKING:
    from collections.abc import Mapping

# Per profile and check.
PROFILES: Mapping[str, Mapping[str, envoy.Template]] = {"envoy": envoy.TEMPLATES}
