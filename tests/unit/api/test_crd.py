"""The generated CRDs: what the API server needs of a schema, and what people need of it.

What the server itself makes of them is in tests/e2e/test_api.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from modelramp.api import crd
from modelramp.api.crd import KINDS, RULES, Kind, definition, walk
from modelramp.api.modelversion import MUTABLE, ModelVersionSpec

if TYPE_CHECKING:
    from pathlib import Path

IDS = [kind.kind for kind in KINDS]
FREE = "x-kubernetes-preserve-unknown-fields"
BOUNDS = {"string": "maxLength", "array": "maxItems"}
kinds = pytest.mark.parametrize("kind", KINDS, ids=IDS)


def schema(kind: Kind) -> dict[str, Any]:
    """The schema of a whole object."""
    found: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def parts(kind: Kind, section: str) -> list[tuple[str, dict[str, Any]]]:
    """Every schema of `spec` or `status`, each with its path."""
    return list(walk(schema(kind)["properties"][section], f".{section}"))


def test_files_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    """The YAML in crds/ was generated from the models as they are now."""
    assert crd.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_each_file_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check fails on a changed, a missing and a foreign file and names each; writing puts all right."""
    where = ["--directory", str(tmp_path)]
    assert crd.main(where) == 0
    assert crd.main([*where, "--check"]) == 0
    (tmp_path / "modelversions.yaml").write_text("{}")
    (tmp_path / "modeldeployments.yaml").unlink()
    (tmp_path / "others.yaml").write_text("{}")
    assert crd.main([*where, "--check"]) == 1
    reported = capsys.readouterr().err
    assert all(name in reported for name in ("modelversions.yaml", "modeldeployments.yaml", "others.yaml"))
    assert crd.main(where) == 0
    assert crd.main([*where, "--check"]) == 0


@kinds
def test_file_is_small_enough_for_client_side_apply(kind: Kind) -> None:
    """A plain `kubectl apply` keeps the whole object in an annotation of at most 256 KiB."""
    assert len(crd.render(kind).encode()) < 256 * 1024


@kinds
def test_file_holds_the_definition(kind: Kind) -> None:
    """The YAML parses back into the definition, without anchors and aliases."""
    text = crd.render(kind)
    assert yaml.safe_load(text) == definition(kind)
    assert "&id" not in text


@kinds
def test_every_field_has_a_description(kind: Kind) -> None:
    """`kubectl explain` has a sentence for every field."""
    fields = [found for section in ("spec", "status") for found in parts(kind, section)]
    silent = [
        path for path, part in fields if not path.endswith(("[]", "{}")) and not part.get("description")
    ]
    assert len(fields) > 10
    assert silent == []


@kinds
def test_everything_that_can_grow_is_bounded(kind: Kind) -> None:
    """Strings, lists and maps have a greatest size: the cost of rules depends on it."""
    loose = [
        path
        for section in ("spec", "status")
        for path, part in parts(kind, section)
        if FREE not in part
        and "enum" not in part
        and part.get("format") != "date-time"
        and (
            (part["type"] in BOUNDS and BOUNDS[part["type"]] not in part)
            or ("additionalProperties" in part and "maxProperties" not in part)
        )
    ]
    assert loose == []


@kinds
def test_schemas_are_structural(kind: Kind) -> None:
    """Every schema has one type and none of JSON Schema's words that the API server refuses."""
    refused = {
        "$ref",
        "$defs",
        "anyOf",
        "oneOf",
        "allOf",
        "title",
        "const",
        "definitions",
        "prefixItems",
        "examples",
    }
    for path, part in walk(schema(kind)):
        assert isinstance(part.get("type"), str), path
        assert not refused & part.keys(), path
        assert isinstance(part.get("additionalProperties", {}), dict), path
        assert part["type"] != "array" or "items" in part, path
        assert (
            part["type"] != "object"
            or path == ".metadata"
            or {"properties", "additionalProperties", FREE} & {*part}
        ), path
        assert all(
            isinstance(part.get(word, True), bool) for word in ("exclusiveMinimum", "exclusiveMaximum")
        ), path


@kinds
def test_unknown_fields_are_refused_but_where_they_are_meant(kind: Kind) -> None:
    """Only the pod's specification and the checkpoint of the evidence are free in their fields."""
    free = [path for path, part in walk(schema(kind)) if FREE in part]
    meant = {"ModelDeployment": [".spec.workload.template.spec", ".status.evidence"], "ModelVersion": []}
    assert free == meant[kind.kind]


@kinds
def test_status_has_no_defaults_and_no_rules(kind: Kind) -> None:
    """A default in status would invent facts, and a rule there could refuse what was decided already."""
    assert [path for path, part in parts(kind, "status") if "default" in part or RULES in part] == []


@kinds
def test_no_default_is_null(kind: Kind) -> None:
    """An optional field is one that may be left out."""
    assert [path for path, part in parts(kind, "spec") if part.get("default", ...) is None] == []


@kinds
def test_every_rule_speaks(kind: Kind) -> None:
    """Every rule has a message of its own, and reports at a field that exists."""
    seen = 0
    for path, part in walk(schema(kind)):
        for item in part.get(RULES, []):
            seen += 1
            assert ("message" in item) != ("messageExpression" in item), path
            target = item.get("fieldPath")
            assert target is None or target.removeprefix(".") in part["properties"], path
    assert seen > 0


def test_every_field_of_the_record_is_immutable_but_stage() -> None:
    """Each field but `stage` has a rule that refuses changing, adding and removing it."""
    spec = next(schema(kind) for kind in KINDS if kind.spec is ModelVersionSpec)["properties"]["spec"]
    rules = {item["fieldPath"]: item["rule"] for item in spec[RULES] if "oldSelf" in item["rule"]}
    assert set(rules) == {f".{name}" for name in spec["properties"]} - {".stage"}
    assert {"stage"} == MUTABLE
    for name in spec["properties"].keys() - MUTABLE:
        assert rules[f".{name}"].startswith(f"has(self.{name}) == has(oldSelf.{name}) && "), name
        assert rules[f".{name}"].endswith(f"self.{name} == oldSelf.{name})"), name


def test_no_field_of_the_record_has_a_default() -> None:
    """The digest is over what the user wrote: a default would put into the record what nobody wrote."""
    kind = next(kind for kind in KINDS if kind.spec is ModelVersionSpec)
    assert [path for path, part in parts(kind, "spec") if "default" in part] == []


@pytest.mark.parametrize(
    ("kind", "short", "columns"),
    [
        ("ModelVersion", "mv", ["Model", "Version", "Format", "Stage", "Digest", "Age"]),
        (
            "ModelDeployment",
            "mdep",
            ["Model", "Version", "Serving", "Strategy", "Step", "Weight", "Ready", "Reason", "Age"],
        ),
    ],
)
def test_what_kubectl_get_shows(kind: str, short: str, columns: list[str]) -> None:
    """Short names, the category, the status subresource and the columns are those of the design."""
    spec = next(definition(found) for found in KINDS if found.kind == kind)["spec"]
    version = spec["versions"][0]
    assert spec["names"]["shortNames"] == [short]
    assert spec["names"]["categories"] == ["modelramp"]
    assert version["subresources"]["status"] == {}
    assert [column["name"] for column in version["additionalPrinterColumns"]] == columns


@kinds
def test_columns_show_fields_that_exist(kind: Kind) -> None:
    """No column reads a path that the schema does not have, which kubectl would show as empty."""
    paths = {path for path, _ in walk(schema(kind))} | {".metadata.creationTimestamp"}
    for column in kind.columns:
        assert column.path.replace('[?(@.type=="Ready")]', "[]") in paths, column.name


def test_names_that_yaml_1_1_reads_as_booleans_are_quoted() -> None:
    """The field `n` of the evidence stays a field when kubectl reads the file."""
    text = crd.files()["modeldeployments.yaml"]
    assert re.search(r"^\s+'n':$", text, re.MULTILINE)
    assert not re.search(r"^\s+(y|n|yes|no|on|off):$", text, re.MULTILINE)
