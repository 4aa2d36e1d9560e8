"""What to ask a provider for, and how to read the answer: one module per source of series."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from modelramp.metrics.profiles import (
    bentoml,
    envoy,
    envoy_gateway,
    istio,
    kserve,
    mlserver,
    model,
    triton,
    vllm,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.metrics.profiles.definition import Profile
    from modelramp.metrics.profiles.template import Template

_ALL = (
    *(envoy.PROFILE, istio.PROFILE, envoy_gateway.PROFILE, kserve.PROFILE, triton.PROFILE),
    *(mlserver.PROFILE, vllm.PROFILE, bentoml.PROFILE, model.PROFILE),
)

# By name.
CATALOGUE: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ALL})

# Per profile and check, with the profile's own edges.
PROFILES: Mapping[str, Mapping[str, Template]] = MappingProxyType(
    {profile.name: profile.templates() for profile in _ALL}
)
