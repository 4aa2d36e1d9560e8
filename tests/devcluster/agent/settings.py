"""What the agent is told at its start."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from devcluster import netns
from devcluster.instance import NONCE_VARIABLE, Instance


@dataclass(frozen=True, slots=True)
class Settings:
    """Read from the file that the bring-up writes.

    Attributes:
        folder: the instance's run folder.
        nodes: names of the nodes that the agent plays.
        pods_per_node: each node's capacity.
        crash_backoff_s: first back-off of a crashing container.
        workdir: where containers without a workingDir run.
        pod_namespace_prefix: first part of the names of pods' network namespaces.
        nonce: what all processes of the instance carry.
    """

    folder: Path
    nodes: tuple[str, ...]
    pods_per_node: int
    crash_backoff_s: float
    workdir: Path
    pod_namespace_prefix: str
    nonce: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """The settings in the file, and the nonce of the environment."""
        raw = json.loads(path.read_text())
        return cls(
            folder=Path(raw["folder"]),
            nodes=tuple(raw["nodes"]),
            pods_per_node=raw["pods_per_node"],
            crash_backoff_s=raw["crash_backoff_s"],
            workdir=Path(raw["workdir"]),
            pod_namespace_prefix=Instance(raw["instance"]).pod_namespace_prefix,
            nonce=os.environ[NONCE_VARIABLE],
        )

    @property
    def authority(self) -> Path:
        """The instance's certificate authority."""
        return self.folder / "pki" / "ca.crt"

    @property
    def container_environment(self) -> dict[str, str]:
        """What an image would bring; this Python's programs first, Envoy itself before its wrapper."""
        scripts = Path(sys.executable).parent
        envoy = [str(p / "envoy" / "_bin") for p in map(Path, sys.path) if (p / "envoy" / "_bin").is_dir()]
        path = [
            *envoy,
            str(scripts),
            "/usr/local/sbin",
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/sbin",
            "/bin",
        ]
        return {
            "PATH": os.pathsep.join(path),
            "HOME": "/tmp",  # noqa: S108 - what most images have as a writable home
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "KUBERNETES_SERVICE_HOST": netns.NODE_ADDRESS,
            "KUBERNETES_SERVICE_PORT": "6443",
            NONCE_VARIABLE: self.nonce,
        }
