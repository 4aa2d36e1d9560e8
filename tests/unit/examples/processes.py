"""The example's programs as the processes they are: training, and a server whose end is looked at too."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLES = Path(__file__).parents[3] / "examples"
START_SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """That of this process, with the examples to import from."""
    return os.environ | {"PYTHONPATH": str(EXAMPLES)} | more


def train(out: Path) -> str:
    """Run the training; its output."""
    command = [sys.executable, "-m", "digits.train", str(out)]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
    return done.stdout


def manifest(out: Path, version: str) -> dict[str, Any]:
    """A ModelVersion manifest that the training wrote."""
    found: dict[str, Any] = yaml.safe_load((out / "modelversions" / f"{version}.yaml").read_text())
    return found


def injected(out: Path, version: str) -> dict[str, str]:
    """The environment that the operator gives to a container of a version."""
    spec = manifest(out, version)["spec"]
    (artifact,) = spec["artifacts"]
    return {
        "MODEL_NAME": spec["model"],
        "MODEL_VERSION": spec["version"],
        "MODEL_URI": artifact["uri"],
        "MODEL_DIGEST": artifact["digest"],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running model server."""

    process: asyncio.subprocess.Process
    url: str

    @property
    def predict(self) -> str:
        """Where to POST."""
        return self.url + "/predict"


@asynccontextmanager
async def serving(out: Path, version: str, *, log: Path) -> AsyncIterator[Server]:
    """A ready server of a version on a free port of loopback; ended afterwards."""
    env = environment(**injected(out, version), POD_IP="127.0.0.1", PORT="0")
    with log.open("w") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "digits.server", env=env, stderr=stream
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            yield Server(process=process, url=await _ready(process, log))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, log: Path) -> str:
    while True:
        text = await asyncio.to_thread(log.read_text)
        assert process.returncode is None, text
        lines = [line for line in text.splitlines() if "listening on " in line]
        if lines:
            url = lines[0].rpartition(" ")[2]
            async with aiohttp.ClientSession() as session, session.get(url + "/readyz") as response:
                if response.status == 200:
                    return url
        await asyncio.sleep(0.05)
