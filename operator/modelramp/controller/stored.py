"""Status as it is stored, also by another release: what can be read of it, and what must not be lost.

A status of a newer `format` is read as far as it can be, so that a failing candidate still goes back; what
cannot be read stays in it, so that the newer release finds its memory again.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelramp.api.status import FORMAT, ModelDeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each reading of a status takes out all that it has found wrong; what is under it shows in the next one.
_READINGS = 20


def read_status(body: Mapping[str, Any]) -> ModelDeploymentStatus:
    """Status as last written; an unreadable one counts as lost, and the apex Service remembers stable."""
    raw = body.get("status") or {}
    try:
        return ModelDeploymentStatus.model_validate(raw)
    except ValidationError:
        return _readable(raw) if _is_newer(raw) else ModelDeploymentStatus()


def status_to_write(body: Mapping[str, Any], status: ModelDeploymentStatus) -> dict[str, Any]:
    """The status as it goes over the wire, with what a newer release has put into the present one."""
    raw = body.get("status") or {}
    wire = status.wire()
    if not _is_newer(raw):
        return wire
    merged: dict[str, Any] = _merged(raw, read_status(body).wire(), wire)
    return merged


def _is_newer(raw: Mapping[str, Any]) -> bool:
    return isinstance(raw.get("format"), int) and raw["format"] > FORMAT


def _readable(raw: Mapping[str, Any]) -> ModelDeploymentStatus:
    kept = deepcopy(dict(raw))
    for _ in range(_READINGS):
        try:
            return ModelDeploymentStatus.model_validate(kept)
        except ValidationError as error:
            # From the end, so that positions in lists stay right.
            for item in reversed(error.errors(include_url=False)):
                path = item["loc"][:-1] if item["type"] == "missing" else item["loc"]
                _take_out(kept, path)
    return ModelDeploymentStatus(format=raw["format"])


def _take_out(root: Any, path: tuple[int | str, ...]) -> None:  # noqa: ANN401 - JSON
    parent = root
    try:
        for part in path[:-1]:
            parent = parent[part]
        del parent[path[-1]]
    except (KeyError, IndexError, TypeError):
        # Gone with what it was in.
        return


def _merged(raw: Any, read: Any, ours: Any) -> Any:  # noqa: ANN401 - JSON
    """Ours, with all that is in raw and was not read; what has not changed stays as it is in raw."""
    if ours == read:
        return raw
    if isinstance(raw, dict) and isinstance(read, dict) and isinstance(ours, dict):
        unread = {key: value for key, value in raw.items() if key not in read and key not in ours}
        known = {key: _merged(raw.get(key), read.get(key), value) for key, value in ours.items()}
        return unread | known
    if isinstance(raw, list) and isinstance(read, list) and isinstance(ours, list):
        if len(raw) != len(read):
            return [*(item for item in ours if item not in read), *raw]
        return [raw[read.index(item)] if item in read else item for item in ours]
    return ours
