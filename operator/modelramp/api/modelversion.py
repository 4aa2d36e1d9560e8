"""`ModelVersion`: what a model is. Its record is immutable; only the wanted stage may change.

No field of the record has a schema default: the digest is taken over what the user wrote, and what is absent
is not in it, so that fields can be added in later releases without a new digest.
"""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from modelramp.api.base import Name, Record, Time, rule, rules
from modelramp.api.conditions import Conditions

SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-z-][0-9a-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-z-][0-9a-z-]*))*)?$"
)
SEMVER_MESSAGE = (
    "must be a semantic version in lower case, without a leading v and without build metadata, "
    "such as 2.1.0 or 2.1.0-rc.1"
)

Semver = Annotated[
    str,
    Field(pattern=SEMVER, max_length=48),
    # The rule instead of `pattern`: its message says what is wanted.
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 48,
            "x-kubernetes-validations": [
                rule("self.matches('" + SEMVER.replace("\\", "\\\\") + "')", SEMVER_MESSAGE)
            ],
        }
    ),
]

MODEL_MESSAGE = "must be lower-case letters, digits and '-', beginning and ending with a letter or digit"
Model = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", min_length=1, max_length=63),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 63,
            "x-kubernetes-validations": [
                rule("self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')", MODEL_MESSAGE)
            ],
        }
    ),
]

Digest = Annotated[
    str,
    Field(pattern=r"^sha256:[0-9a-f]{64}$"),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 71,
            "x-kubernetes-validations": [
                rule(
                    "self.matches('^sha256:[0-9a-f]{64}$')",
                    "must be sha256: and 64 hexadecimal digits in lower case (sha256sum FILE)",
                )
            ],
        }
    ),
]


class Stage(StrEnum):
    """How far a version has come in its life."""

    DEVELOPMENT = "Development"
    VALIDATION = "Validation"
    STAGING = "Staging"
    PRODUCTION = "Production"
    DEPRECATED = "Deprecated"
    ARCHIVED = "Archived"


class ArtifactRole(StrEnum):
    """What a file of a version is for."""

    MODEL = "model"
    CONFIG = "config"
    PREPROCESSING = "preprocessing"
    MODEL_CARD = "modelCard"
    METRICS = "metrics"
    TESTS = "tests"
    SIGNATURE = "signature"
    DOCS = "docs"
    CHECKPOINT = "checkpoint"


class ModelFormat(Record):
    """How the model is stored, in KServe's vocabulary."""

    name: Annotated[
        str, Field(min_length=1, max_length=63, description="Format, such as onnx, sklearn or mlflow.")
    ]
    version: Annotated[
        str | None, Field(max_length=63, description="Version of the format, such as 1.16.")
    ] = None


class Artifact(Record):
    """One file of a version, named by where it lies and what it hashes to."""

    role: Annotated[ArtifactRole, Field(description="What the file is for.")]
    uri: Annotated[
        str,
        Field(
            min_length=1, max_length=2048, description="Where the file lies: s3, gs, https, oci, pvc or file."
        ),
    ]
    digest: Annotated[Digest, Field(description="sha256 of the file: `sha256:` and 64 hexadecimal digits.")]
    size_bytes: Annotated[int | None, Field(ge=0, description="Size of the file in bytes.")] = None


class FrozenHistogram(Record):
    """A distribution as it was when the version was made; `modelramp baseline` writes it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "size(self.counts) == size(self.le) + 1",
                "counts must be one more than le: the last one is for what is above all edges",
                field=".counts",
            )
        )
    )

    name: Annotated[
        str, Field(min_length=1, max_length=63, description="Of the distribution: prediction, or an input.")
    ]
    le: Annotated[
        list[float],
        Field(min_length=1, max_length=99, description="Upper edges of the bins, rising, without +Inf."),
    ]
    counts: Annotated[
        list[Annotated[int, Field(ge=0, le=2**53)]],
        Field(min_length=2, max_length=100, description="Values in each bin, the last one above all edges."),
    ]

    @model_validator(mode="after")
    def _check(self) -> FrozenHistogram:
        if len(self.counts) != len(self.le) + 1:
            raise ValueError("counts must be one more than le: the last one is for what is above all edges")
        if not all(math.isfinite(edge) for edge in self.le):
            raise ValueError("le must be finite: leave +Inf out")
        if any(low >= high for low, high in pairwise(self.le)):
            raise ValueError("le must rise from one edge to the next")
        return self


class Baseline(Record):
    """What a version was like when it was made; `modelramp baseline` makes it from data."""

    histograms: Annotated[
        list[FrozenHistogram] | None,
        Field(
            max_length=16,
            description="Reference distributions.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None


class ModelVersionSpec(Record):
    """The record of a version. Every field but `stage` is immutable."""

    model: Annotated[Model, Field(description="The family of models this version belongs to.")]
    version: Annotated[Semver, Field(description="Semantic version; a pre-release names the channel.")]
    model_format: Annotated[ModelFormat, Field(description="How the model is stored.")]
    artifacts: Annotated[
        list[Artifact],
        Field(
            min_length=1,
            max_length=64,
            description="The files of this version; one of them has the role model.",
        ),
    ]
    baseline: Annotated[
        Baseline | None, Field(description="Reference distributions, frozen with the version.")
    ] = None
    expected_shift: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=63)]] | None,
        Field(
            max_length=64,
            description="Distributions that are meant to change with this version, such as prediction.",
        ),
    ] = None
    created_by: Annotated[Name | None, Field(description="Who made this version.")] = None
    changelog: Annotated[
        str | None, Field(max_length=16384, description="What changed against the last one.")
    ] = None
    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=63)]] | None,
        Field(max_length=64, description="Free words to find this version by."),
    ] = None
    stage: Annotated[
        Stage | None, Field(description="The stage that is wanted: a request. The one field that may change.")
    ] = None


MUTABLE = frozenset({"stage"})


def _immutability() -> list[dict[str, object]]:
    """One rule a field: a rule on the field itself would let optional fields be added and removed."""
    names = (field.alias or name for name, field in ModelVersionSpec.model_fields.items())
    return [
        rule(
            f"has(self.{name}) == has(oldSelf.{name})"
            f" && (!has(self.{name}) || self.{name} == oldSelf.{name})",
            f"{name} is immutable: the record of a version never changes; make a new version instead",
            field=f".{name}",
        )
        for name in names
        if name not in MUTABLE
    ]


SPEC_RULES = [
    *_immutability(),
    rule(
        "self.artifacts.exists(a, a.role == 'model')",
        "artifacts: one of them must have the role model",
        field=".artifacts",
    ),
]
ROOT_RULES = [
    rule(
        "self.metadata.name == self.spec.model + '-' + self.spec.version",
        "'metadata.name must be <model>-<version>: ' + self.spec.model + '-' + self.spec.version",
        dynamic=True,
    ),
]


class ModelVersionStatus(Record):
    """What the operator found out about a version."""

    observed_generation: Annotated[int | None, Field(description="The generation this status speaks of.")] = (
        None
    )
    digest: Annotated[
        str | None, Field(max_length=80, description="Identity of the record: sha256 of its canonical JSON.")
    ] = None
    conditions: Annotated[Conditions, Field(description="Ready: the record is read and has a digest.")] = (
        Field(default_factory=list)
    )
    last_used: Annotated[Time | None, Field(description="The last day on which this version served.")] = None


__all__ = [
    "ROOT_RULES",
    "SPEC_RULES",
    "Artifact",
    "ArtifactRole",
    "Baseline",
    "Digest",
    "FrozenHistogram",
    "Model",
    "ModelFormat",
    "ModelVersionSpec",
    "ModelVersionStatus",
    "Semver",
    "Stage",
]
