"""What the environment says: the operator injects MODEL_*, the pod template the rest."""

from __future__ import annotations

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment is incomplete or wrong; the message names the variable."""


class Settings(BaseSettings):
    """The environment of a model server."""

    model_config = SettingsConfigDict(frozen=True, protected_namespaces=())

    model_name: str
    model_version: str
    model_uri: str
    """`file:///…` of the artifact."""
    model_digest: str = Field(pattern="^sha256:[0-9a-f]{64}$")
    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("POD_IP", "HOST"))
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""


def read() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a variable is missing or wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError("; ".join(problems) + "; set it in the pod's environment") from error
