"""The README's walk-through says what really happens: its commands are run, and their output is compared."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devcluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
MARK = "--8<--"
MASKS = (
    (r"\d\d:\d\d:\d\d UTC", "TIME"),
    (r"-[0-9a-f]{8}\b", "-HASH"),
    (r"\d+(\.\d+)?(–\d+(\.\d+)?)? %", "SHARE"),
    (r"n=\d+", "N"),
    (r"in \d+ (s|min)", "in SPAN"),
    (r"\b(\d+m)?\d+s\b", "AGE"),
    (r" +", " "),
)


def commands() -> list[tuple[str, str]]:
    """Command and printed output of every console block, in order."""
    blocks = re.findall(
        r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    found: list[tuple[str, str]] = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, output = found[-1]
            found[-1] = (command, f"{output}{line}\n")
    return found


def masked(text: str) -> list[str]:
    """The text without what differs from run to run."""
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_masking_keeps_what_matters() -> None:
    """Times and hashes are masked; another reason or another version would be seen."""
    assert masked("2.0.0-87974f04 at 14:27:24 UTC") == masked("2.0.0-00000000 at 01:02:03 UTC")
    assert masked("RolledBack: ErrorRate") != masked("RolledBack: Latency")
    assert masked("digits 2.0.0 1.0.0") != masked("digits 2.0.0 1.1.0")


def test_the_walk_through_is_true(cluster: Cluster) -> None:
    """Every command ends well and prints what the README shows, from the host and on a new control plane."""
    steps = commands()
    assert len(steps) > 10
    script = "set -e\n" + "\n".join(f"{command}\necho '{MARK}'" for command, _ in steps)
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=ROOT,
        env=os.environ | {"DEVCLUSTER_INSTANCE": cluster.instance.name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # The shell ends; what it started in the background goes on, and would keep the pipes open.
        shell.wait(timeout=380)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        output, errors = shell.communicate(timeout=20)
        (ROOT / "operator.log").unlink(missing_ok=True)
    assert shell.returncode == 0, errors
    printed = output.split(f"{MARK}\n")
    for (command, expected), seen in zip(steps, printed, strict=False):
        if expected:
            assert masked(seen) == masked(expected), command
