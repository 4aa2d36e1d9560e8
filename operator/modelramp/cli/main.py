"""The `modelramp` command; each sub-command lives in a file of its own."""

from __future__ import annotations

import typer

from modelramp.cli import backtest, baseline, operator, policy, status, why

HELP = "Takes model versions to 100 % of live traffic in proved steps, and takes them back."

app = typer.Typer(name="modelramp", no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)
app.callback()(lambda: None)

app.command("operator", context_settings=operator.CONTEXT)(operator.operator)
app.command("status")(status.status)
app.command("why")(why.why)
app.add_typer(policy.app)
app.command("baseline")(baseline.baseline)
app.command("backtest")(backtest.backtest)
