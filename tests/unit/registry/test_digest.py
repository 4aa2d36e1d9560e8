"""The digest of a version's record: it must never change for a record that exists."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from modelramp.api.modelversion import MUTABLE, ModelVersionSpec
from modelramp.registry.digest import canonical, number, record_digest

SMALL: dict[str, Any] = {
    "model": "fraud",
    "version": "1.0.0",
    "modelFormat": {"name": "onnx"},
    "artifacts": [
        {"role": "model", "uri": "s3://models/fraud/1.0.0/model.onnx", "digest": "sha256:" + "0" * 64}
    ],
}
FULL: dict[str, Any] = {
    "model": "fraud",
    "version": "2.1.0-rc.1",
    "modelFormat": {"name": "sklearn", "version": "1.7"},
    "artifacts": [
        {
            "role": "model",
            "uri": "s3://models/fraud/2.1.0-rc.1/model.joblib",
            "digest": "sha256:" + "ab" * 32,
            "sizeBytes": 12345678,
        },
        {
            "role": "modelCard",
            "uri": "https://models.example.com/fraud/card.md",
            "digest": "sha256:" + "cd" * 32,
        },
    ],
    "createdBy": "Zoë <zoe@example.com>",
    "changelog": 'Trained on Q3.\n"Better" at 30 % of the slices – ½ as slow.',
    "tags": ["tabular", "eu"],
    "stage": "Staging",
}
# What the canonical record of SMALL is, written by hand from RFC 8785.
SMALL_CANONICAL = (
    '{"artifacts":[{"digest":"sha256:' + "0" * 64 + '","role":"model",'
    '"uri":"s3://models/fraud/1.0.0/model.onnx"}],'
    '"model":"fraud","modelFormat":{"name":"onnx"},"version":"1.0.0"}'
)
# Changing one of these would make every record that exists another one: never do it, add a scheme instead.
GOLDEN = [
    (SMALL, "v1:sha256:9afb08ac20c23499ad12b4a0caa15627f01d16fba194d071b5b54422ca6e8e8f"),
    (FULL, "v1:sha256:02ca2408c2067a4b031107980af23ad0254939d14adca9051460581f2b3f7fdd"),
]
OTHER: dict[str, Any] = {
    "model": "churn",
    "version": "2.1.0",
    "modelFormat": {"name": "sklearn"},
    "artifacts": FULL["artifacts"][:1],
    "baseline": {"histograms": [{"name": "prediction", "le": [0.1], "counts": [1, 2]}]},
    "expectedShift": ["prediction"],
    "createdBy": None,
    "changelog": "",
    "tags": [],
}


def digest(record: dict[str, Any]) -> str:
    """The digest of a record as it came over the wire."""
    return record_digest(ModelVersionSpec.model_validate(record))


@pytest.mark.parametrize(("record", "expected"), GOLDEN, ids=["small", "full"])
def test_golden_digests(record: dict[str, Any], expected: str) -> None:
    """The digests of two records are those of the first release."""
    assert digest(record) == expected


def test_canonical_form_is_that_of_the_rfc() -> None:
    """Keys sorted at every level, no spaces, absent fields left out; the digest is sha256 of these bytes."""
    assert canonical(ModelVersionSpec.model_validate(SMALL)).decode() == SMALL_CANONICAL
    assert digest(SMALL) == "v1:sha256:" + hashlib.sha256(SMALL_CANONICAL.encode()).hexdigest()


# From ECMAScript's Number::toString, which RFC 8785 takes over.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (100.0, "100"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (0.30000000000000004, "0.30000000000000004"),
        (0.00001, "0.00001"),
        (0.000001, "0.000001"),
        (0.00000125, "0.00000125"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.5e300, "-1.5e+300"),
        (9007199254740992.0, "9007199254740992"),
    ],
)
def test_numbers_are_written_as_the_rfc_says(value: float, text: str) -> None:
    """A number that is no integer has one notation, and it is not Python's."""
    assert number(value) == text
    assert float(text) == value


def test_edges_are_in_the_canonical_form() -> None:
    """1 and 1.0 are the same edge of a frozen histogram, and the same record."""
    histograms = [{"name": "prediction", "le": [0.5, 1], "counts": [7, 9, 0]}]
    spec = ModelVersionSpec.model_validate(SMALL | {"baseline": {"histograms": histograms}})
    text = '"baseline":{"histograms":[{"counts":[7,9,0],"le":[0.5,1],"name":"prediction"}]},'
    assert text in canonical(spec).decode()
    histograms[0]["le"] = [0.5, 1.0]
    again = ModelVersionSpec.model_validate(SMALL | {"baseline": {"histograms": histograms}})
    assert record_digest(again) == record_digest(spec)


def test_order_of_keys_does_not_matter() -> None:
    """The same record written with its keys in another order is the same record."""
    text = json.dumps(FULL, sort_keys=True)
    assert list(json.loads(text)) != list(FULL)
    assert digest(json.loads(text)) == digest(FULL)


@pytest.mark.parametrize("stage", [None, "Production", "Archived"])
def test_stage_is_not_in_the_digest(stage: str | None) -> None:
    """A version keeps its identity through its life."""
    assert digest(FULL | {"stage": stage}) == digest(FULL)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_other_field_is_in_the_digest(name: str) -> None:
    """A record that differs in any one field is another record."""
    assert digest(FULL | {name: OTHER[name]}) != digest(FULL)


def test_every_field_was_tried() -> None:
    """A field that is added to the record must be added to the test above."""
    fields = {field.alias or name for name, field in ModelVersionSpec.model_fields.items()}
    assert fields == OTHER.keys() | MUTABLE


def test_empty_is_not_absent() -> None:
    """An empty list that was written is in the record; one that was not is not."""
    assert digest(SMALL | {"tags": []}) != digest(SMALL)
