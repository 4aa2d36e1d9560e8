"""On CI a skipped test of the control plane is a failed one: pytest runs small files with our conftest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MARKED = "import pytest\n@pytest.mark.cluster\n"
FILES = {
    "marked": MARKED + "def test_a():\n    pytest.skip('no root')\n",
    "decorated": MARKED + "@pytest.mark.skip(reason='later')\ndef test_a():\n    pass\n",
    "module": "import pytest\npytest.skip('no root', allow_module_level=True)\n",
    "unmarked": "import pytest\ndef test_a():\n    pytest.skip('not here')\n",
    "expected": MARKED + "@pytest.mark.xfail(strict=True)\ndef test_a():\n    assert False\n",
}


def run(folder: Path, content: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    """Pytest's end on one file beside our conftest."""
    shutil.copy(Path(__file__).parents[1] / "conftest.py", folder / "conftest.py")
    (folder / "test_it.py").write_text(content)
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers = cluster\nasyncio_default_fixture_loop_scope = function\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_it.py"],
        cwd=folder,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["marked", "decorated", "module"])
def test_skipping_fails_on_ci(tmp_path: Path, name: str) -> None:
    """A skip in the test, by decorator or of the whole module fails, and says so."""
    done = run(tmp_path, FILES[name], ci="true")
    assert done.returncode != 0
    assert "may not be skipped on CI" in done.stdout


@pytest.mark.parametrize(("name", "ci"), [("marked", ""), ("unmarked", "true"), ("expected", "true")])
def test_what_may_be_skipped(tmp_path: Path, name: str, ci: str) -> None:
    """Away from CI anything may be skipped; on CI units may, and what is expected to fail is no skip."""
    done = run(tmp_path, FILES[name], ci=ci)
    assert done.returncode == 0, done.stdout
