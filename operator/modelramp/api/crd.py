"""The CRDs, generated from the pydantic models: one source for what is parsed, refused and explained.

`make crds` writes them, `python -m modelramp.api.crd --check` fails when the files differ. Pydantic speaks
JSON Schema, the API server its own structural dialect of OpenAPI 3.0: references are inlined, an optional
field may be absent but never null, and a default is only for what users write, never for status.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from modelramp.api.base import GROUP, VERSION, Record
from modelramp.api.modeldeployment import NAME_RULE, ModelDeploymentSpec
from modelramp.api.modelversion import ROOT_RULES, SPEC_RULES, ModelVersionSpec, ModelVersionStatus
from modelramp.api.status import ModelDeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_PYDANTICS = frozenset({"$defs", "title", "additionalProperties"})
RULES = "x-kubernetes-validations"
_FIRST = ("description", "type", "format", "default", "enum", "required")
HEADER = "# Generated from operator/modelramp/api by `make crds`: change the models, not this file.\n"
DIRECTORY = Path(__file__).parents[3] / "crds"
_READY = '.status.conditions[?(@.type=="Ready")].status'


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of `kubectl get`; `wide` ones show with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def wire(self) -> dict[str, Any]:
        """The column as the CRD has it."""
        shown: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return shown | {"priority": 1} if self.wide else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a CRD needs beside its models."""

    kind: str
    short: str
    description: str
    spec: type[Record]
    status: type[Record]
    root_rules: list[dict[str, Any]] = field(default_factory=list)
    spec_rules: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[Column, ...]
    scale: dict[str, str] | None = None

    @property
    def plural(self) -> str:
        """The name in URLs and of the file."""
        return f"{self.kind.lower()}s"


_AGE = Column(name="Age", path=".metadata.creationTimestamp", type="date")

KINDS = (
    Kind(
        kind="ModelVersion",
        short="mv",
        description="What a model is: an immutable record of its files and where they came from.",
        spec=ModelVersionSpec,
        status=ModelVersionStatus,
        root_rules=ROOT_RULES,
        spec_rules=SPEC_RULES,
        columns=(
            Column(name="Model", path=".spec.model"),
            Column(name="Version", path=".spec.version"),
            Column(name="Format", path=".spec.modelFormat.name"),
            Column(name="Stage", path=".spec.stage"),
            Column(name="Digest", path=".status.digest"),
            _AGE,
        ),
    ),
    Kind(
        kind="ModelDeployment",
        short="mdep",
        description="Which version of a model should serve, and how traffic gets there.",
        spec=ModelDeploymentSpec,
        status=ModelDeploymentStatus,
        root_rules=[NAME_RULE],
        # `kubectl scale` and an HPA set spec.replicas; the selector names the pods that serve.
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
        columns=(
            Column(name="Model", path=".spec.model"),
            Column(name="Version", path=".spec.version"),
            Column(name="Serving", path=".status.stable.version"),
            Column(name="Strategy", path=".status.plan.strategy.type"),
            Column(name="Step", path=".status.summary.step"),
            Column(name="Weight", path=".status.candidate.weight", type="integer"),
            Column(name="Ready", path=_READY),
            Column(name="Reason", path=".status.summary.text"),
            _AGE,
        ),
    ),
)


def structural(model: type[Record]) -> Schema:
    """A model's schema in the API server's dialect, with its defaults and rules."""
    source = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(source, source.get("$defs", {}))


def _convert(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        node = definitions[name] | {key: value for key, value in node.items() if key != "$ref"}
    if "anyOf" in node:
        (only,) = [option for option in node["anyOf"] if option != {"type": "null"}]
        return _convert(only | {key: value for key, value in node.items() if key != "anyOf"}, definitions)
    found = {key: value for key, value in node.items() if key not in _PYDANTICS}
    if found.get("default", ...) is None:
        del found["default"]
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in found:
            found |= {bound: found[exclusive], exclusive: True}
    if "properties" in node:
        found["properties"] = {name: _convert(part, definitions) for name, part in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        found["additionalProperties"] = _convert(node["additionalProperties"], definitions)
    if "items" in node:
        found["items"] = _convert(node["items"], definitions)
    return _ordered(found)


def _ordered(schema: Schema) -> Schema:
    """People read these files: what a field is comes first, what is inside it last."""
    last = ("properties", "items", "additionalProperties")
    middle = sorted(schema.keys() - {*_FIRST, *last})
    return {key: schema[key] for key in (*_FIRST, *middle, *last) if key in schema}


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema below and with this one, each with its path, such as `.steps[].hold`."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from walk(part, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], path + mark)


def _without(schema: Schema, *keywords: str) -> Schema:
    """The schema without some keywords, at every level; changes it in place."""
    for _, part in walk(schema):
        for keyword in keywords:
            part.pop(keyword, None)
    return schema


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    spec = structural(kind.spec)
    if kind.spec_rules:
        spec[RULES] = kind.spec_rules
    # What is in status was decided on already: a default would invent facts, a rule could only refuse memory.
    status = _without(structural(kind.status), "default", RULES)
    root: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the API: " + f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"Always {kind.kind}."},
            # The bound is Kubernetes' own; said here, it bounds the cost of rules about the name.
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}},
            "spec": spec,
            "status": status,
        },
    }
    if kind.root_rules:
        root[RULES] = kind.root_rules
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["modelramp"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [column.wire() for column in kind.columns],
                    "subresources": {"status": {}} | ({"scale": kind.scale} if kind.scale else {}),
                    "schema": {"openAPIV3Schema": root},
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes what is used twice in full: people read these files, and anchors would hide things."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


_YAML_1_1_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """PyYAML writes `n` without quotes; kubectl reads that as false, and the field is lost."""
    style = "'" if value.lower() in _YAML_1_1_BOOLEANS else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def render(kind: Kind) -> str:
    """The CRD of a kind as a YAML file."""
    body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return HEADER + body


def files() -> dict[str, str]:
    """Name and content of every file in `crds/`."""
    return {f"{kind.plural}.yaml": render(kind) for kind in KINDS}


def main(arguments: list[str]) -> int:
    """Writes `crds/`, or compares with `--check`: 1 when a file differs."""
    parser = argparse.ArgumentParser(prog="python -m modelramp.api.crd", description="Writes crds/*.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file differs")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where the files are")
    options = parser.parse_args(arguments)
    directory: Path = options.directory
    present = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.yaml")}
    wanted = files()
    if options.check:
        differing = sorted(name for name in present.keys() | wanted if present.get(name) != wanted.get(name))
        for name in differing:
            sys.stderr.write(f"{directory.name}/{name} is not what the models say: run `make crds`\n")
        return 1 if differing else 0
    directory.mkdir(parents=True, exist_ok=True)
    for name in present.keys() - wanted.keys():
        (directory / name).unlink()
    for name, content in wanted.items():
        (directory / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
