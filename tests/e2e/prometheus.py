"""Takes the cluster's Prometheus away for a while."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devcluster import Cluster


@contextmanager
def paused(cluster: Cluster) -> Iterator[None]:
    """The process stands still: it accepts connections and answers nothing, as one does that hangs."""
    pid = next(member.pid for member in cluster.state.members if member.name == "prometheus")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
