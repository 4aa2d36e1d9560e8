"""JSON patches to who keeps an object and who owns it, each with tests of what it was decided on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelramp.controller.snapshot import Body

FINALIZER = "modelramp.dev/finalizer"

Operations = list[dict[str, Any]]


def has_finalizer(body: Body) -> bool:
    """Whether ours is on the object."""
    return FINALIZER in (body["metadata"].get("finalizers") or [])


def finalizer_patch(body: Body, *, present: bool) -> Operations:
    """Puts our finalizer on the object as it was seen, or takes it off; empty: nothing is to be changed."""
    metadata = body["metadata"]
    if has_finalizer(body) == present:
        return []
    others = [name for name in metadata.get("finalizers") or [] if name != FINALIZER]
    wanted = [*others, FINALIZER] if present else others
    return [*_fence(body), _set("/metadata/finalizers", wanted)]


def disowning_patch(body: Body, owner: str) -> Operations:
    """Takes the owner of this uid off an object as it was seen; empty: it is none of its owners."""
    references = body["metadata"].get("ownerReferences") or []
    others = [reference for reference in references if reference.get("uid") != owner]
    if others == references:
        return []
    return [*_fence(body), _set("/metadata/ownerReferences", others)]


def _fence(body: Body) -> Operations:
    names = ("uid", "resourceVersion")
    return [{"op": "test", "path": f"/metadata/{name}", "value": body["metadata"][name]} for name in names]


def _set(path: str, items: list[Any]) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": items} if items else {"op": "remove", "path": path}
