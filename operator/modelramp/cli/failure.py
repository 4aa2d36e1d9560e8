"""How a command ends when it cannot do what was asked: a sentence for people and an exit code for scripts."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell from the end of a command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3


class Failure(Exception):  # noqa: N818 - it ends a command, not a program
    """The command ends here.

    Attributes:
        code: the exit code.
    """

    def __init__(self, message: str, *, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
