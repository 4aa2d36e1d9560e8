"""`modelramp operator`: runs the operator. Its flags are made from the settings: there is one list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from modelramp.controller.settings import Settings

CONTEXT: dict[str, Any] = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def operator(
    flags: Annotated[list[str] | None, typer.Argument(help="See --help of this command.")] = None,
) -> None:
    """Run the operator (settings: --help)."""
    settings = parse(flags or [])
    # Kubernetes and kopf take a second to load, which no other sub-command should wait for.
    from modelramp.controller import app  # noqa: PLC0415
    from modelramp.kube.login import LoginError  # noqa: PLC0415

    try:
        asyncio.run(app.run(settings))
    except (LoginError, app.StoppedError, OSError) as error:
        typer.echo(f"modelramp operator: {error}", err=True)
        raise typer.Exit(1) from None


def parse(flags: list[str]) -> Settings:
    """Settings from flags and environment.

    Raises:
        typer.Exit: a setting is missing or wrong (it has been said which one, and where it is set).
    """
    # A part of the second that no other sub-command should wait for.
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_settings import CliApp, SettingsError  # noqa: PLC0415

    from modelramp.controller.settings import Settings  # noqa: PLC0415

    try:
        return CliApp.run(Settings, cli_args=flags)
    except (ValidationError, SettingsError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else [{"loc": (), "msg": str(error)}]
        for problem in problems:
            name = ".".join(str(part) for part in problem["loc"])
            flag, variable = name.replace("_", "-"), f"MODELRAMP_{name.upper()}"
            typer.echo(f"modelramp operator: --{flag} ({variable}): {problem['msg']}", err=True)
        raise typer.Exit(2) from None
