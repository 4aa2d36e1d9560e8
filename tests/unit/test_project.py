"""The project's own rules, where no tool checks them."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
# Put together here, so that this file does not hold what it looks for.
MACHINE = re.compile("|".join(["/" + "work/", "/" + "root/", "/" + r"home/[a-z]", "/" + r"Users/[A-Za-z]"]))
HOSTS = re.compile(
    "|".join([r"files\.python" + r"hosted\.org", "pypi" + r"\.org", "proxy" + r"\.golang\.org"])
)
GENERATED = {"uv.lock", "LICENSE"}


def tracked() -> list[Path]:
    """Every file that Git knows and that is there, but those a tool writes."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this is no Git checkout: {error}")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name and Path(name).name not in GENERATED]
    return [path for path in paths if path.is_file()]


def text(path: Path) -> str:
    """The content of a file; nothing when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def functions() -> list[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every test function of the project, with its file."""
    return [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]


def test_operator_is_no_package() -> None:
    """operator/ is a source root: an __init__.py there would hide the standard library's `operator`."""
    assert (ROOT / "operator" / "modelramp").is_dir()
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_no_file_is_too_long() -> None:
    """A file that needs more lines than this holds more than one idea."""
    sources = [path for path in tracked() if path.suffix == ".py"]
    assert sources
    lengths = {str(path.relative_to(ROOT)): text(path).count("\n") for path in sources}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_every_test_says_what_it_proves() -> None:
    """Every test has a docstring."""
    found = functions()
    assert len(found) > 100
    assert [f"{path.name}::{node.name}" for path, node in found if not ast.get_docstring(node)] == []


def test_every_module_says_why_it_exists() -> None:
    """Every module has a docstring, but a package's empty __init__.py."""
    modules = [path for path in tracked() if path.suffix == ".py" and text(path).strip()]
    assert [
        str(path.relative_to(ROOT)) for path in modules if not ast.get_docstring(ast.parse(text(path)))
    ] == []


@pytest.mark.parametrize("pattern", [MACHINE, HOSTS], ids=["paths", "hosts"])
def test_no_file_knows_a_machine(pattern: re.Pattern[str]) -> None:
    """No file names a path of somebody's machine, or a host that packages come from."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        for number, line in enumerate(text(path).splitlines(), 1)
        if pattern.search(line) and path.name not in {"go.sum", "go.mod"}
    ]
    assert found == []


def test_every_dependency_has_a_reason() -> None:
    """The record of the dependencies names each one of pyproject.toml."""
    project = text(ROOT / "pyproject.toml")
    listed = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert listed is not None
    names = re.findall(r'"([a-z-]+)', listed[1])
    record = text(ROOT / "docs" / "decisions" / "0002-dependencies.md")
    assert len(names) > 5
    assert [name for name in names if f"| {name} |" not in record] == []
