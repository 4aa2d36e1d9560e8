"""Building with the real Go compiler, on modules small enough for a test."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from devcluster import builds
from devcluster.failure import DevclusterError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster
_FAMILY = builds.Family("small", {"good": "./good", "bad": "./bad"}, stamp="-X main.version=v7")
_GOOD = 'package main\n\nvar version string\n\nfunc main() { println("good", version) }\n'


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Go command, with a family of one sound and one broken program."""
    monkeypatch.setenv("MODELRAMP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builds, "_TOOLS", tmp_path)
    module = tmp_path / "small"
    for name, text in (("good", _GOOD), ("bad", "package main\n\nfunc main() { undefined() }\n")):
        (module / name).mkdir(parents=True)
        (module / name / "main.go").write_text(text)
    (module / "go.mod").write_text("module small\n\ngo 1.26.0\n")
    (module / "go.sum").write_text("")
    found = shutil.which("go")
    assert found is not None
    return found


def test_a_broken_part_is_named_and_the_others_are_built(go: str) -> None:
    """The error has the compiler's words; the sound program is there, stamped, and runs."""
    with pytest.raises(DevclusterError, match=r"bad: (.|\n)*undefined: undefined"):
        builds._build_all(go, [_FAMILY], quiet=True)
    done = subprocess.run([_FAMILY.output / "good"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "good v7\n"
    assert not (_FAMILY.output / "bad").exists()


def test_a_build_goes_on_where_it_was(go: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is built already is not built again, and the lines on the terminal say which part it is."""
    with pytest.raises(DevclusterError):
        builds._build_all(go, [_FAMILY], quiet=True)
    before = (_FAMILY.output / "good").stat().st_mtime_ns
    (tmp_path / "small" / "bad" / "main.go").write_text(_GOOD)
    builds._build_all(go, [_FAMILY], quiet=False)
    assert (_FAMILY.output / "good").stat().st_mtime_ns == before
    assert capsys.readouterr().err.startswith("part 2/2 bad … ")
