"""What can come back from the API server instead of an answer.

Callers react to a few cases, never to a status code: look again, give way, tell a person, count as gone, try
later, end the process.
"""

from __future__ import annotations


class ClusterError(Exception):
    """Base of everything that a `Cluster` raises.

    Attributes:
        message: the API server's words, or what went wrong on the way to it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Fenced(ClusterError):  # noqa: N818 - these names are the operator's vocabulary; none needs "Error"
    """The object is not the one that was decided on (409 by resourceVersion or uid): look again."""


class FieldConflict(ClusterError):  # noqa: N818
    """Other field managers own fields of an apply without force (409, cause FieldManagerConflict).

    Attributes:
        managers: who owns them, in alphabetical order.
    """

    def __init__(self, managers: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.managers = managers


class Refused(ClusterError):  # noqa: N818
    """The API server or an admission policy said no, and will say so again until something changes.

    Attributes:
        status: HTTP status (400, 403, 405, 413, 422 …).
        reason: the API server's reason, such as `Forbidden` or `Invalid`.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


class Missing(ClusterError):  # noqa: N818
    """The object, its namespace, or its whole kind is not there (404)."""


class Unavailable(ClusterError):  # noqa: N818
    """No answer, or none that says anything about the request (connection, time-out, 429, 5xx).

    A write may have happened all the same.
    """


class Unauthorized(ClusterError):  # noqa: N818
    """The API server does not know us any more (401). Nothing helps but a new start with new credentials."""
