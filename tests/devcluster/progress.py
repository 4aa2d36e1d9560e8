"""What the user sees while something takes time: a line that counts on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType


def elapsed(seconds: float) -> str:
    """`0.4s`, `12s`, `1m12s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Step:
    """A named step as a context manager: counts while it runs, and leaves one line with its time.

    Args:
        text: what is done, e.g. `part 2/6 kube-apiserver`.
        stream: where to; standard error unless told, as standard output is for results.
        quiet: show nothing.
    """

    def __init__(self, text: str, *, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._text = text
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._live = not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._color = self._live and not os.environ.get("NO_COLOR")
        self._over = threading.Event()
        self._counter = threading.Thread(target=self._count, daemon=True)
        self.seconds = 0.0

    def _count(self) -> None:
        while not self._over.wait(0.5):
            self._stream.write(f"\r\x1b[2K{self._text} … {elapsed(time.monotonic() - self._begin)}")
            self._stream.flush()

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        if self._live:
            self._stream.write(f"{self._text} …")
            self._stream.flush()
            self._counter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._begin
        self._over.set()
        if self._live:
            self._counter.join()
        if self._quiet:
            return
        word = "" if kind is None else " failed after"
        if self._color:
            word = f"\x1b[31m{word}\x1b[0m" if word else ""
        start = "\r\x1b[2K" if self._live else ""
        self._stream.write(f"{start}{self._text} …{word} {elapsed(self.seconds)}\n")
        self._stream.flush()
