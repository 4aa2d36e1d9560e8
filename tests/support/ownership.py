"""Field ownership of server-side apply, small enough to read: who owns which leaf, and what an apply changes.

Lists are atomic, but for `metadata.ownerReferences` (a map by uid) and `metadata.finalizers` (a set).
The rules are those of https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

Path = tuple[str, ...]
Owners = dict["Manager", frozenset[Path]]

_MISSING = object()
SERVERS_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "managedFields",
    }
)
_KEYED_LISTS = ("ownerReferences", "finalizers")


class Manager(NamedTuple):
    """What makes two owners different: the same name with another operation is another owner."""

    name: str
    operation: str
    subresource: str | None


class ConflictError(Exception):
    """Other managers own what an apply without force would change."""

    def __init__(self, found: dict[str, list[Path]]) -> None:
        super().__init__("; ".join(f'conflict with "{name}": {paths}' for name, paths in found.items()))
        self.managers = tuple(sorted(found))


def leaves(body: dict[str, Any]) -> dict[Path, Any]:
    """The owned leaves of an object: path → value. What only the API server writes has no owner."""
    found: dict[Path, Any] = {}

    def walk(value: Any, path: Path) -> None:  # noqa: ANN401 - JSON
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(item, (*path, key))
        else:
            found[path] = value

    for key, value in keyed(body).items():
        if key == "metadata":
            for name, item in value.items():
                if name not in SERVERS_METADATA:
                    walk(item, ("metadata", name))
        elif key not in ("apiVersion", "kind"):
            walk(value, (key,))
    return found


def keyed(body: dict[str, Any]) -> dict[str, Any]:
    """A copy in which the lists that merge by element are dicts: element's key → [element]."""
    result = deepcopy(body)
    metadata = result.get("metadata", {})
    for name in _KEYED_LISTS:
        if isinstance(metadata.get(name), list):
            metadata[name] = {
                (item["uid"] if isinstance(item, dict) else item): [item] for item in metadata[name]
            }
    return result


def unkeyed(body: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `keyed`."""
    metadata = body.get("metadata", {})
    for name in _KEYED_LISTS:
        if isinstance(metadata.get(name), dict):
            metadata[name] = [item for [item] in metadata[name].values()]
            if not metadata[name]:
                del metadata[name]
    return body


def apply(
    live: dict[str, Any], owners: Owners, me: Manager, wanted: dict[str, Any], *, force: bool
) -> tuple[dict[str, Any], Owners]:
    """The object and its owners after `me` has applied `wanted`.

    Raises:
        ConflictError: a leaf would change that another manager owns, and `force` is off.
    """
    new, old = leaves(wanted), leaves(live)
    conflicts: dict[str, list[Path]] = {}
    for other, paths in owners.items():
        taken = [path for path in paths if other != me and path in new and old.get(path) != new[path]]
        if taken:
            conflicts.setdefault(other.name, []).extend(taken)
    if conflicts and not force:
        raise ConflictError(conflicts)
    result = keyed(live)
    lost = {path for paths in conflicts.values() for path in paths}
    after = {other: paths - lost for other, paths in owners.items() if other != me}
    dropped = owners.get(me, frozenset()) - new.keys()
    after[me] = frozenset(new)
    for path, value in new.items():
        _set(result, path, value)
    for path in sorted(dropped, key=len, reverse=True):
        _drop(result, path, after)
    return unkeyed(result), {owner: paths for owner, paths in after.items() if paths}


def update(live: dict[str, Any], owners: Owners, me: Manager, edited: dict[str, Any]) -> Owners:
    """The owners after `me` has replaced `live` by `edited`: what changed is its own, whoever's it was."""
    old, new = leaves(live), leaves(edited)
    changed = frozenset(path for path, value in new.items() if old.get(path, _MISSING) != value)
    gone = old.keys() - new.keys()
    after = {other: paths - gone - changed for other, paths in owners.items() if other != me}
    after[me] = (owners.get(me, frozenset()) | changed) - gone
    return {owner: paths for owner, paths in after.items() if paths}


def fields_v1(paths: frozenset[Path]) -> dict[str, Any]:
    """Owned paths as `managedFields` shows them (list elements in a form of our own)."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for part in path:
            node = node.setdefault(f"f:{part}", {})
    return tree


def _set(body: dict[str, Any], path: Path, value: Any) -> None:  # noqa: ANN401 - JSON
    node = body
    for part in path[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    if value != {} or not isinstance(node.get(path[-1]), dict):
        node[path[-1]] = deepcopy(value)


def _drop(body: dict[str, Any], path: Path, owners: Owners) -> None:
    """Removes a leaf that nobody owns any more, and the maps around it in which nobody owns anything."""
    for length in range(len(path), 1, -1):
        part = path[:length]
        if any(owned[:length] == part for paths in owners.values() for owned in paths):
            return
        node: Any = body
        for key in part[:-1]:
            node = node.get(key, {}) if isinstance(node, dict) else {}
        if isinstance(node, dict):
            node.pop(part[-1], None)
