"""What a model file holds, and the check that it is the file that was registered.

The file is JSON rather than a pickle: loading it cannot run code, and its digest does not depend on the
versions of the libraries that wrote it. How a version behaves is written here, not in the server.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class ArtifactError(Exception):
    """The artifact cannot be served; the message names it, the cause and the next step."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Average(_Part):
    """Replaces each block of `block` × `block` pixels by its mean."""

    step: Literal["average"] = "average"
    block: int = Field(gt=0)


class Scale(_Part):
    """Divides every pixel by `by`."""

    step: Literal["scale"] = "scale"
    by: float = Field(gt=0)


class PenGain(_Part):
    """Evens out thick and thin pens: multiplies an image by the gain of its class of total ink.

    `gains[i]` is for images whose pixels sum to `class_width * i` or more.
    """

    step: Literal["penGain"] = "penGain"
    class_width: float = Field(gt=0)
    gains: tuple[float, ...]


class SecondReader(_Part):
    """A remote service that is asked whenever the model's own score is under `ask_below_score`."""

    ask_below_score: float = Field(ge=0, le=1)
    latency_seconds: float = Field(ge=0)


Step = Annotated[Average | Scale | PenGain, Field(discriminator="step")]


class Artifact(_Part):
    """A linear classifier with the preparation of its input.

    Attributes:
        preprocessing: applied in order to the 64 pixels.
        coefficients: one row per class, one column per prepared feature.
        intercepts: one per class.
        second_reader: left out by versions that decide alone.
    """

    format: Literal["linear-json/1"] = "linear-json/1"
    model: str
    version: str
    preprocessing: tuple[Step, ...]
    classes: tuple[int, ...]
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    second_reader: SecondReader | None = None

    def to_bytes(self) -> bytes:
        """The same bytes for the same content, so that the digest is a property of the model."""
        return (self.model_dump_json(exclude_none=True) + "\n").encode()


def digest_of(content: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def path_of(uri: str) -> Path:
    """The local file of a `file://` URI.

    Raises:
        ArtifactError: the URI is of another kind.
    """
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path:
        raise ArtifactError(
            f"artifact {uri}: this server only reads file:///… URIs; put the file on a local disk"
        )
    return Path(unquote(parts.path))


def load(*, uri: str, digest: str, model: str, version: str) -> Artifact:
    """Read the artifact at `uri`, and refuse it unless it is exactly what was registered.

    Raises:
        ArtifactError: unreadable, wrong digest, wrong format, or of another model or version.
    """
    path = path_of(uri)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"artifact {uri} cannot be read: {error.strerror}; check MODEL_URI") from error
    actual = digest_of(content)
    if actual != digest:
        raise ArtifactError(
            f"artifact {uri} of {model} {version} has digest {actual}, but {digest} was registered: the file"
            " was changed after registration; restore it, or register the new file as a new version"
        )
    try:
        artifact = Artifact.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"artifact {uri} is not a linear-json/1 file: {where}: {first['msg']}") from error
    if (artifact.model, artifact.version) != (model, version):
        raise ArtifactError(
            f"artifact {uri} holds {artifact.model} {artifact.version}, but MODEL_NAME and MODEL_VERSION say"
            f" {model} {version}; point MODEL_URI at the file of {model} {version}"
        )
    return artifact
