"""The command as a person or a script runs it, against an API server on loopback."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from modelramp.cli.access import default_namespace
from modelramp.cli.main import app
from support.world import World
from unit.cli.apiserver import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

ROOT = Path(__file__).parents[3]
PROGRAM = "from modelramp.cli.main import app; app()"


@pytest.fixture
def world() -> World:
    """A world at the present time, in which 1.0.0 serves everything."""
    made = World()
    made.now = datetime.now(UTC)
    made.deploy("1.0.0")
    made.settle()
    return made


@pytest.fixture
def server(world: World) -> Iterator[ApiServer]:
    """That world behind HTTP."""
    with ApiServer(world) as made:
        yield made


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    """How to reach it."""
    return server.kubeconfig(tmp_path / "kubeconfig")


def run(kubeconfig: Path, *arguments: str) -> Result:
    """`modelramp status` in this process."""
    environment = {"KUBECONFIG": str(kubeconfig), "COLUMNS": "120"}
    return CliRunner().invoke(app, ["status", *arguments], env=environment)


@contextmanager
def meanwhile(server: ApiServer, happens: Callable[[], object]) -> Iterator[None]:
    """Something happens shortly after the command has read the object for the first time."""

    def later() -> None:
        server.asked.wait(60)
        time.sleep(1)
        happens()

    server.asked.clear()
    thread = threading.Thread(target=later)
    thread.start()
    yield
    thread.join()


def test_it_shows_the_object(kubeconfig: Path) -> None:
    """Once, with the events, in plain text where no terminal is; the namespace is the context's."""
    done = run(kubeconfig, "fraud")
    assert done.exit_code == 0, done.output
    assert "1.0.0 serves all traffic" in done.output
    assert re.search(r"Promoted  1\.0\.0-\w{8} has 100 %", done.output)
    assert "\x1b" not in done.output


def test_output_that_takes_ascii_only(world: World, kubeconfig: Path) -> None:
    """In the C locale signs become question marks; words and figures stay."""
    world.deploy("1.1.0")
    world.run(5)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "status", "fraud"], env=environment, capture_output=True, check=True
    )
    assert b"Canary 1.0.0 ? 1.1.0" in done.stdout


def test_a_name_that_is_nearly_right(kubeconfig: Path) -> None:
    """The message names the near miss and the namespace."""
    done = run(kubeconfig, "frued")
    assert done.exit_code == 1
    assert "no ModelDeployment frued in namespace shop; did you mean fraud?" in done.stderr


def test_another_namespace_has_none(kubeconfig: Path) -> None:
    """The message says how to find it."""
    done = run(kubeconfig, "fraud", "-n", "elsewhere")
    assert done.exit_code == 1
    assert "in namespace elsewhere" in done.stderr
    assert "kubectl get mdep -A" in done.stderr


def test_no_cluster(server: ApiServer, kubeconfig: Path) -> None:
    """Exit code 3, and the address that did not answer."""
    server.stop()
    done = run(kubeconfig, "fraud")
    assert done.exit_code == 3
    assert f"http://127.0.0.1:{server.port} does not answer" in done.stderr


def test_no_credentials(tmp_path: Path) -> None:
    """Exit code 3, and the file that was looked at."""
    done = run(tmp_path / "none", "fraud")
    assert done.exit_code == 3
    assert str(tmp_path / "none") in done.stderr


@pytest.mark.parametrize(
    ("refusal", "code", "says"),
    [
        ((404, "NotFound"), 1, "kubectl apply -f crds/"),
        ((401, "Unauthorized"), 3, "does not accept your credentials"),
        ((403, "Forbidden"), 1, "modeldeployments.modelramp.dev"),
    ],
)
def test_what_the_api_server_refuses(
    server: ApiServer, kubeconfig: Path, refusal: tuple[int, str], code: int, says: str
) -> None:
    """No CRD, unknown credentials, missing rights: each says what to do."""
    server.refusal = refusal
    done = run(kubeconfig, "fraud")
    assert done.exit_code == code
    assert says in done.stderr


@pytest.mark.parametrize(
    "arguments", [["fraud", "--timeout", "3"], [], ["fraud", "-o", "yaml"], ["fraud", "--until", "later"]]
)
def test_wrong_usage(kubeconfig: Path, arguments: list[str]) -> None:
    """Exit code 2 before anything is asked of a cluster."""
    assert run(kubeconfig, *arguments).exit_code == 2


def test_json_has_stable_keys(world: World, kubeconfig: Path) -> None:
    """A script finds the step, the revisions and the status as it is."""
    world.deploy("1.1.0")
    world.run(5)
    done = run(kubeconfig, "fraud", "-o", "json")
    found = json.loads(done.stdout)
    assert found["status"] == world.status
    assert {key: found["step"][key] for key in ("index", "total", "weight", "holdSeconds")} == {
        "index": 1,
        "total": 4,
        "weight": 5,
        "holdSeconds": 60.0,
    }
    assert [(row["version"], row["role"], row["weight"]) for row in found["revisions"]] == [
        ("1.0.0", "stable", 95),
        ("1.1.0", "candidate", 5),
    ]
    assert found["outcome"] is None
    assert found["observed"] is True
    assert found["revisions"][0]["seenShare"] is None


def test_until_promoted_waits_for_the_wanted_version(
    world: World, server: ApiServer, kubeconfig: Path
) -> None:
    """That the version before was promoted is not taken for it; exit code 0 when it is there."""
    world.deploy("1.1.0")
    with meanwhile(server, lambda: world.run(200)):
        done = run(kubeconfig, "fraud", "--until", "promoted", "--timeout", "60")
    assert done.exit_code == 0, done.output
    assert "version 1.1.0 is wanted" in done.stdout
    assert "PROMOTED 1.0.0 → 1.1.0" in done.stdout


@pytest.mark.parametrize(("until", "code"), [("rolled-back", 0), ("promoted", 1)])
def test_until_is_answered_by_a_rollback(
    world: World, server: ApiServer, kubeconfig: Path, until: str, code: int
) -> None:
    """Exit code 0 for who waited for it, 1 for who did not."""
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.deploy("2.0.0")
    with meanwhile(server, lambda: world.run(30)):
        done = run(kubeconfig, "fraud", "--until", until, "--timeout", "60")
    assert done.exit_code == code, done.output
    assert "ROLLED BACK 2.0.0 → 1.0.0: ErrorRate" in done.stdout
    assert ("fraud is rolled-back, not promoted" in done.stderr) is (code == 1)


def test_until_ends_in_time(world: World, kubeconfig: Path) -> None:
    """Exit code 1 and where it stands, when it did not happen in time."""
    world.deploy("1.1.0")
    world.run(5)
    done = run(kubeconfig, "fraud", "--until", "promoted", "--timeout", "1")
    assert done.exit_code == 1
    assert "fraud is not promoted after 1 s: step 1 of 4" in done.stderr


def test_a_retry_that_nobody_answered_is_not_the_old_rollback(world: World, kubeconfig: Path) -> None:
    """After a request the status of before does not count."""
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.deploy("2.0.0")
    world.run(30)
    world.request("retry/1")
    done = run(kubeconfig, "fraud", "--until", "rolled-back", "--timeout", "1")
    assert done.exit_code == 1
    assert "is not rolled-back after 1 s" in done.stderr


def test_it_survives_a_restart_of_the_api_server(server: ApiServer, kubeconfig: Path) -> None:
    """A watch says that it sees nothing new, goes on, and says when it does again."""

    def restart() -> None:
        server.stop()
        time.sleep(1.5)
        server.start()

    with meanwhile(server, restart):
        done = run(kubeconfig, "fraud", "--watch", "--timeout", "5")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    away = next(number for number, line in enumerate(lines) if "has not answered since" in line)
    assert any("the API server answers again" in line for line in lines[away:])


def test_a_deleted_object_ends_the_watch(server: ApiServer, kubeconfig: Path) -> None:
    """What is gone cannot be watched: exit code 1."""
    with meanwhile(server, server.forget):
        done = run(kubeconfig, "fraud", "--watch", "--timeout", "20")
    assert done.exit_code == 1
    assert "there is no ModelDeployment fraud" in done.stderr


def test_the_screen_is_live_on_a_terminal(kubeconfig: Path) -> None:
    """It redraws the progress, and ends with Ctrl-C: exit code 0, the cursor shown again, no traceback."""
    code, out = _on_a_terminal(kubeconfig, {})
    assert code == 0, out
    assert "serves all traffic" in out
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")
    assert "Traceback" not in out
    assert re.search(r"\x1b\[[\d;]*32m", out)


def test_no_color_is_respected(kubeconfig: Path) -> None:
    """NO_COLOR: no colour on a terminal either."""
    code, out = _on_a_terminal(kubeconfig, {"NO_COLOR": "1"})
    assert code == 0, out
    assert "serves all traffic" in out
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", out)


def _on_a_terminal(kubeconfig: Path, extra: dict[str, str]) -> tuple[int, str]:
    """`--watch` on a terminal of its own until it has drawn, then Ctrl-C: exit code and all it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"} | extra
    program = [
        sys.executable,
        "-c",
        PROGRAM,
        "status",
        "fraud",
        "--watch",
    ]
    with subprocess.Popen(
        program,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        # A shell that starts tests in the background lets them ignore Ctrl-C, and all that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as process:
        os.close(theirs)
        out = b""
        end = time.monotonic() + 60
        while out.count(b"serves all traffic") < 3 and time.monotonic() < end:
            out += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            out += part
        code = process.wait(timeout=30)
    os.close(ours)
    return code, out.decode()


def test_the_namespace_is_the_contexts(tmp_path: Path, server: ApiServer) -> None:
    """As with kubectl: of the context that is used, `default` when it names none, over a list of files."""
    with_one = server.kubeconfig(tmp_path / "a", namespace="team")
    without = server.kubeconfig(tmp_path / "b", namespace=None)
    assert default_namespace(str(with_one), None) == "team"
    assert default_namespace(str(without), None) == "default"
    assert default_namespace(f"{tmp_path / 'none'}{os.pathsep}{with_one}", None) == "team"
    assert default_namespace(str(with_one), "another") == "default"
