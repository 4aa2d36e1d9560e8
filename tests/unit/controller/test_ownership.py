"""Patches of finalizers and owner references change what was seen, and nothing else."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest

from modelramp.controller.ownership import FINALIZER, disowning_patch, finalizer_patch

OTHER = "example.com/billing"
OURS, THEIRS = {"kind": "ModelDeployment", "uid": "u-1"}, {"kind": "Application", "uid": "u-2"}


def body(**metadata: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An object."""
    return {"metadata": {"uid": "u", "resourceVersion": "7", **metadata}}


@pytest.mark.parametrize("others", [[], [OTHER]], ids=["alone", "beside another"])
def test_finalizer_comes_and_goes_beside_others(others: list[str]) -> None:
    """Put on and taken off, others stay; what is as wanted needs no patch."""
    start = body(**({"finalizers": others} if others else {}))
    with_ours = jsonpatch.apply_patch(start, finalizer_patch(start, present=True))
    assert with_ours["metadata"]["finalizers"] == [*others, FINALIZER]
    assert finalizer_patch(with_ours, present=True) == []
    assert jsonpatch.apply_patch(with_ours, finalizer_patch(with_ours, present=False)) == start
    assert finalizer_patch(start, present=False) == []


@pytest.mark.parametrize("changed", [{"resourceVersion": "8"}, {"uid": "v"}], ids=["changed", "another"])
def test_finalizer_is_for_what_was_seen(changed: dict[str, str]) -> None:
    """An object that has changed since, or another by that name, is left alone."""
    operations = finalizer_patch(body(), present=True)
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(body(**changed), operations)


def test_only_our_owner_reference_goes() -> None:
    """Another owner stays; without ours there is nothing to patch; what has changed since is left alone."""
    both = body(ownerReferences=[THEIRS, OURS])
    left = jsonpatch.apply_patch(both, disowning_patch(both, "u-1"))
    assert left["metadata"]["ownerReferences"] == [THEIRS]
    assert disowning_patch(left, "u-1") == []
    alone = body(ownerReferences=[OURS])
    assert jsonpatch.apply_patch(alone, disowning_patch(alone, "u-1")) == body()
    for changed in ({"resourceVersion": "8"}, {"uid": "v"}):
        since = body(ownerReferences=[THEIRS, OURS], **changed)
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            jsonpatch.apply_patch(since, disowning_patch(both, "u-1"))
