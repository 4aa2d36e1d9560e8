"""The one error that the tool shows to its user instead of a traceback."""

from __future__ import annotations


class DevclusterError(Exception):
    """Something the user can act on; the message names the object, the cause and the next step."""
