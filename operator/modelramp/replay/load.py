"""Reads the files of `modelramp policy test`: an error names file and field, and what may stand there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from modelramp.api.analysis import Analysis
from modelramp.replay.script import Script

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ScriptError(Exception):
    """The file cannot be run. The message names the file, the field, and what may stand there."""


def load_script(path: Path) -> Script:
    """Reads a file.

    Raises:
        ScriptError: it cannot be read, or is not in this format.
    """
    raw = _yaml(path)
    if not isinstance(raw, dict):
        raise ScriptError(f"{path}: must be a mapping with `phases`")
    policy = raw.get("policy")
    if isinstance(policy, dict) and "file" in policy:
        if set(policy) != {"file"} or not isinstance(policy["file"], str):
            raise ScriptError(f"{path}: policy: give `file: PATH` alone, or the analysis itself")
        raw = raw | {"policy": load_policy(path.parent / policy["file"]).wire()}
    try:
        return Script.model_validate(raw)
    except ValidationError as error:
        raise ScriptError(_told(path, error)) from None


def load_policy(path: Path) -> Analysis:
    """Reads an analysis section: the file itself, or `spec.analysis` of an object.

    Raises:
        ScriptError: it cannot be read, or is not one.
    """
    raw = _yaml(path)
    if isinstance(raw, dict) and isinstance(raw.get("spec"), dict):
        raw = raw["spec"].get("analysis")
    try:
        return Analysis.model_validate(raw)
    except ValidationError as error:
        raise ScriptError(_told(path, error)) from None


def _yaml(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScriptError(f"{path}: is not text in UTF-8") from None
    except yaml.YAMLError as error:
        raise ScriptError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None


def _told(path: Path, error: ValidationError) -> str:
    lines = [
        f"{path}: {_place(item['loc'])}{item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False)
    ]
    return "\n".join(dict.fromkeys(lines))


def _place(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location) + ": " if location else ""
