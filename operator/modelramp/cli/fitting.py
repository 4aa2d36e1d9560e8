"""One thing in several forms, of which the first that fits the width is shown: nothing wraps by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.measure import Measurement

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_WIDE = 1000


class First:
    """The first form that fits; the last one if none does.

    Args:
        forms: from the fullest to the shortest.
    """

    def __init__(self, *forms: RenderableType) -> None:
        self._forms = forms

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields that form."""
        wide = options.update(max_width=_WIDE)
        fitting = (
            form for form in self._forms if Measurement.get(console, wide, form).maximum <= options.max_width
        )
        yield next(fitting, self._forms[-1])

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as its shortest form at the least, and its fullest at the most."""
        widths = [Measurement.get(console, options, form).maximum for form in self._forms]
        return Measurement(min(widths), max(widths)).with_maximum(options.max_width)
