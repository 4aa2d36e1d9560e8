"""The API server's rules on one object, as pure functions: selection, fences, what a write may touch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelramp.kube.errors import Fenced
from support import ownership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.kube.kinds import Kind
    from support.ownership import Manager, Owners

    Key = tuple[Kind, str, str]


@dataclass(slots=True)
class Stored:
    """One object, who owns its leaves, and when each owner last changed something."""

    body: dict[str, Any]
    owners: Owners = field(default_factory=dict)
    times: dict[Manager, str] = field(default_factory=dict)


def selected(kind: Kind, body: dict[str, Any]) -> bool:
    """Whether a list or watch of the kind shows this object (selectors `name` and `name=value`)."""
    if kind.selector is None:
        return True
    labels = body["metadata"].get("labels", {})
    name, equals, value = kind.selector.partition("=")
    return name in labels and (not equals or labels[name] == value)


def fence(
    stored: Stored | None, metadata: Mapping[str, Any], key: Key, *, subresource: str | None = None
) -> None:
    """What a write says of the object it was decided on must be true, as far as the API server looks.

    It ignores a resourceVersion where there is no object, and a uid alone in a write of the status.
    """
    live = stored.body["metadata"] if stored else {}
    looked_at = ["uid", "resourceVersion"]
    if stored is None:
        looked_at.remove("resourceVersion")
    if subresource and "resourceVersion" not in metadata:
        looked_at.remove("uid")
    for name in looked_at:
        if metadata.get(name) not in (None, live.get(name)):
            raise Fenced(f"{key[0]} {key[1]}/{key[2]}: {name} is {live.get(name)}, not {metadata[name]}")


def empty(kind: Kind, key: Key) -> dict[str, Any]:
    """An object before its first write."""
    metadata = {"name": key[2], "namespace": key[1]}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def part(body: dict[str, Any], subresource: str | None) -> dict[str, Any]:
    """The part of a body that a write to the object, or to its status, takes notice of."""
    if subresource:
        return {"status": body.get("status", {})}
    return {name: value for name, value in body.items() if name != "status"}


def updated(stored: Stored, edited: dict[str, Any], me: Manager) -> tuple[dict[str, Any], Owners]:
    """An update in place: nobody writes `status` and the rest at once, or what only the API server writes."""
    live = stored.body
    if me.subresource:
        result = deepcopy(live) | {"status": edited.get("status", {})}
    else:
        result = {name: value for name, value in deepcopy(edited).items() if name != "status"}
        result |= {"status": deepcopy(live["status"])} if "status" in live else {}
        own = {
            name: item for name, item in result["metadata"].items() if name not in ownership.SERVERS_METADATA
        }
        servers = {
            name: item for name, item in live["metadata"].items() if name in ownership.SERVERS_METADATA
        }
        result["metadata"] = own | servers
    return result, ownership.update(live, stored.owners, me, result)


def wanted(body: dict[str, Any]) -> dict[str, Any]:
    """What a change of counts as a new generation."""
    return {name: value for name, value in body.items() if name not in ("metadata", "status")}


def times(before: Stored | None, body: dict[str, Any], owners: Owners, *, now: str) -> dict[Manager, str]:
    """When each owner last changed something: what it owns, or a value of that."""
    if before is None:
        return dict.fromkeys(owners, now)
    old = ownership.leaves(before.body)
    changed = {
        path for path, value in ownership.leaves(body).items() if path not in old or old[path] != value
    }
    return {
        of: before.times[of] if before.owners.get(of) == paths and not paths & changed else now
        for of, paths in owners.items()
    }


def managed_fields(stored: Stored, kind: Kind) -> list[dict[str, Any]]:
    """Who owns what, as the API server shows it."""
    return [
        {
            "manager": owner.name,
            "operation": owner.operation,
            "apiVersion": kind.api_version,
            "time": stored.times[owner],
            "fieldsType": "FieldsV1",
            "fieldsV1": ownership.fields_v1(paths),
            **({"subresource": owner.subresource} if owner.subresource else {}),
        }
        for owner, paths in stored.owners.items()
    ]
