"""What can come back from the API server instead of an answer.

Callers react to five cases, never to a status code: look again, give way, tell a person, count as
gone, try later.
"""

from __future__ import annotations


class ClusterError(Exception):
    """Base of everything that a `Cluster` raises."""


class Fenced(ClusterError):  # noqa: N818 - the names are the agreed vocabulary, and none needs "Error"
    """The object is not the one that was decided on (409 by resourceVersion or uid): look again."""


class FieldConflict(ClusterError):  # noqa: N818
    """Other field managers own fields of an apply without force (409, cause FieldManagerConflict).

    Attributes:
        managers: who owns them, in alphabetical order.
        message: the API server's words.
    """

    def __init__(self, managers: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.managers = managers
        self.message = message


class Refused(ClusterError):  # noqa: N818
    """The API server or an admission policy said no, and will say so again until something changes.

    Attributes:
        status: HTTP status (400, 403, 405, 413, 422 …).
        reason: the API server's reason, such as `Forbidden` or `Invalid`.
        message: the API server's words.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Missing(ClusterError):  # noqa: N818
    """The object, or its whole kind, is not there (404)."""


class Unavailable(ClusterError):  # noqa: N818
    """No answer, or none that says anything about the request (connection, time-out, 429, 5xx).

    A write may have happened.

    Attributes:
        message: what went wrong, with the address.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
