"""The `modelramp` command: one line for each sub-command, which lives in a file of its own."""

from __future__ import annotations

import typer

from modelramp.cli import operator, status

app = typer.Typer(name="modelramp", no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.callback()(lambda: None)

app.command("operator", context_settings=operator.CONTEXT)(operator.operator)
app.command("status")(status.status)
