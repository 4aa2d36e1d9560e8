"""What an answer of the API server means: from HTTP status and `Status` object to the errors of this package.

Pure, so that the table can be read and tested at one place.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from modelramp.kube.errors import (
    ClusterError,
    Fenced,
    FieldConflict,
    Missing,
    Refused,
    Unauthorized,
    Unavailable,
)

# The API server's words when it cannot carry out the operations of a JSON patch (a failed `test`, a path that
# is not there). It gives no cause, and validation has the same status and reason.
_PATCH_FAILED = "the server rejected our request due to an error in our request"
_MANAGER = re.compile(r'conflict with "([^"]+)"')
_LONGEST = 500
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS)


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of an answer; an answer that is none is wrapped into one with its text as `message`."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"message": raw.decode(errors="replace")[:_LONGEST].strip()}


def error(status: int, body: dict[str, Any], *, request: str) -> ClusterError:
    """The error that an answer outside 2xx stands for.

    Args:
        status: HTTP status.
        body: the parsed answer; a Kubernetes `Status`, or whatever a proxy between us answers.
        request: what was asked, for the message: `apply ModelDeployment/status ml/fraud`.
    """
    reason = str(body.get("reason") or _phrase(status))
    words = str(body.get("message") or reason)
    message = f"{request}: {words}"
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return Unauthorized(message)
        case HTTPStatus.NOT_FOUND:
            return Missing(message)
        case HTTPStatus.CONFLICT:
            managers = _managers(body)
            return FieldConflict(managers, message) if managers else Fenced(message)
        case HTTPStatus.UNPROCESSABLE_ENTITY if words == _PATCH_FAILED:
            return Fenced(f"{request}: a test of the patch failed, or a path of it is not there")
        case HTTPStatus.UNPROCESSABLE_ENTITY if any(
            cause.get("field") == "metadata.uid" for cause in _causes(body)
        ):
            return Fenced(message)
        case _:
            # 410: the page's snapshot is too old; a new list has a new one.
            passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING
            return Unavailable(message) if passing else Refused(status, reason, message)


def _causes(body: dict[str, Any]) -> list[dict[str, Any]]:
    return (body.get("details") or {}).get("causes") or []


def _managers(body: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                name
                for cause in _causes(body)
                if cause.get("reason") == "FieldManagerConflict"
                for name in _MANAGER.findall(cause.get("message", ""))
            }
        )
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
