"""A server never serves a file other than the registered one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digits.server.artifact import ArtifactError, digest_of, load
from unit.examples.processes import injected

if TYPE_CHECKING:
    from pathlib import Path


def test_the_registered_file_loads(trained: Path) -> None:
    """The true digest is accepted."""
    env = injected(trained, "1.1.0")
    loaded = load(uri=env["MODEL_URI"], digest=env["MODEL_DIGEST"], model="digits", version="1.1.0")
    assert (loaded.version, len(loaded.coefficients[0])) == ("1.1.0", 64)


def test_a_changed_file_is_refused(trained: Path, tmp_path: Path) -> None:
    """One more byte at the end, still valid JSON, and the message names both digests."""
    content = (trained / "artifacts" / "digits-1.1.0.json").read_bytes()
    changed = tmp_path / "changed.json"
    changed.write_bytes(content + b" ")
    with pytest.raises(ArtifactError) as refusal:
        load(uri=changed.as_uri(), digest=digest_of(content), model="digits", version="1.1.0")
    assert digest_of(content) in str(refusal.value)
    assert digest_of(content + b" ") in str(refusal.value)


def test_the_file_of_another_version_is_refused(trained: Path) -> None:
    """A true digest is not enough: the file must be of the version the pod was made for."""
    env = injected(trained, "1.0.0")
    with pytest.raises(ArtifactError, match=r"holds digits 1\.0\.0, but .* say digits 1\.1\.0"):
        load(uri=env["MODEL_URI"], digest=env["MODEL_DIGEST"], model="digits", version="1.1.0")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message has the URI and the system's reason."""
    uri = (tmp_path / "none.json").as_uri()
    with pytest.raises(ArtifactError, match=f"{uri} cannot be read: No such file"):
        load(uri=uri, digest="sha256:" + "0" * 64, model="digits", version="1.1.0")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    """A file with a true digest that is no such artifact is named, with the field that is wrong."""
    other = tmp_path / "other.json"
    other.write_bytes(b'{"format": "onnx/1"}')
    with pytest.raises(ArtifactError, match="not a linear-json/1 file: format"):
        load(uri=other.as_uri(), digest=digest_of(other.read_bytes()), model="digits", version="1.1.0")


@pytest.mark.parametrize("uri", ["s3://models/digits.json", "file://elsewhere/digits.json", "/digits.json"])
def test_only_local_files_are_read(uri: str) -> None:
    """Other kinds of URI are refused before anything is opened."""
    with pytest.raises(ArtifactError, match="only reads file:///"):
        load(uri=uri, digest="sha256:" + "0" * 64, model="digits", version="1.1.0")
