"""What each answer of the API server means to the operator."""

from __future__ import annotations

from typing import Any

import pytest

from modelramp.kube import answers
from modelramp.kube.errors import (
    ClusterError,
    Fenced,
    FieldConflict,
    Missing,
    Refused,
    Unauthorized,
    Unavailable,
)

REQUEST = "apply ModelDeployment /apis/modelramp.dev/v1alpha1/namespaces/ml/modeldeployments/fraud"


def status(reason: str, message: str, *causes: dict[str, str]) -> dict[str, Any]:
    """A Status object as the API server answers it."""
    return {"kind": "Status", "reason": reason, "message": message, "details": {"causes": list(causes)}}


MODIFIED = status("Conflict", "the object has been modified; please apply your changes to the latest version")
OWNED = status(
    "Conflict",
    "Apply failed with 2 conflicts",
    {"reason": "FieldManagerConflict", "message": 'conflict with "git" using modelramp.dev/v1alpha1'},
    {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "argocd" with subresource "status" using v1',
    },
    {"reason": "FieldManagerConflict", "message": 'conflict with "git" using modelramp.dev/v1alpha1'},
)
NOT_MY_UID = status(
    "Invalid", "metadata.uid: field is immutable", {"reason": "FieldValueInvalid", "field": "metadata.uid"}
)
NOT_VALID = status(
    "Invalid", "spec.version: must be …", {"reason": "FieldValueInvalid", "field": "spec.version"}
)
PATCH = status("Invalid", "the server rejected our request due to an error in our request")


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (400, status("BadRequest", "unknown field"), Refused),
        (401, status("Unauthorized", "Unauthorized"), Unauthorized),
        (403, status("Forbidden", "cannot patch"), Refused),
        (404, status("NotFound", "not found"), Missing),
        (404, {"message": "404 page not found"}, Missing),
        (408, {}, Unavailable),
        (409, MODIFIED, Fenced),
        (409, status("AlreadyExists", "already exists"), Fenced),
        (409, OWNED, FieldConflict),
        (410, status("Expired", "continue token is too old"), Unavailable),
        (413, {}, Refused),
        (422, NOT_VALID, Refused),
        (422, NOT_MY_UID, Fenced),
        (422, PATCH, Fenced),
        (429, status("TooManyRequests", "try again later"), Unavailable),
        (500, status("InternalError", "failed calling webhook"), Unavailable),
        (503, {"message": "upstream connect error"}, Unavailable),
        (599, {}, Unavailable),
    ],
)
def test_every_answer_has_one_meaning(code: int, body: dict[str, Any], kind: type[ClusterError]) -> None:
    """Status, reason and causes decide; the message names the request."""
    found = answers.error(code, body, request=REQUEST)
    assert type(found) is kind
    assert REQUEST in found.message


def test_a_field_conflict_names_each_owner_once() -> None:
    """In alphabetical order, subresources left out: this goes into a condition."""
    found = answers.error(409, OWNED, request=REQUEST)
    assert isinstance(found, FieldConflict)
    assert found.managers == ("argocd", "git")


def test_a_refusal_keeps_status_and_reason() -> None:
    """What a person needs to know why, in one line."""
    found = answers.error(403, status("Forbidden", "policy 'guard' denied"), request=REQUEST)
    assert isinstance(found, Refused)
    assert (found.status, found.reason) == (403, "Forbidden")
    assert str(found) == f"403 Forbidden: {REQUEST}: policy 'guard' denied"


@pytest.mark.parametrize("raw", [b"<html>Bad gateway</html>", b"[1]", b"\xff\xfe", b""])
def test_an_answer_that_is_no_object_is_wrapped(raw: bytes) -> None:
    """A proxy between us may answer anything: it becomes a message, never an exception."""
    found = answers.parsed(raw)
    assert set(found) == {"message"}
    assert isinstance(answers.error(502, found, request=REQUEST), Unavailable)
