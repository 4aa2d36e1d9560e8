"""How many stories are told: the same ones in each `make test`, many and new ones in `make test-full`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_CALM = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)

settings.register_profile("stories", _CALM, max_examples=20, derandomize=True, database=None)
settings.register_profile("deep", _CALM, max_examples=1000)
