"""Network namespaces: made and removed with `ip`, entered with setns(2).

An instance has one namespace without any link to the outside, and one more for each pod. What runs inside
can therefore reach nothing but the instance, and two instances may use the same ports.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster.failure import DevclusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NODE_ADDRESS = "10.244.0.1"
POD_NETWORK = "10.244.0.0/16"
_MOUNTS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
# os.setns exists from Python 3.12 on.
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*arguments: str, batch: Iterable[str] | None = None) -> None:
    """Run `ip`; with `batch`, feed it one command per line.

    Raises:
        DevclusterError: `ip` refused.
    """
    command = ["ip", *arguments, *(["-batch", "-"] if batch is not None else [])]
    text = "\n".join(batch) + "\n" if batch is not None else None
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=20)
    if done.returncode != 0:
        raise DevclusterError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def _setns(handle: int) -> None:
    """Move the calling thread into the network namespace behind an open file descriptor."""
    if _libc.setns(handle, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter(name: str) -> None:
    """Move the calling thread into the namespace for good.

    Raises:
        DevclusterError: there is no such namespace.
    """
    try:
        handle = os.open(_MOUNTS / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise DevclusterError(f"network namespace {name} does not exist; is the instance up?") from error
    try:
        _setns(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block, on this thread, inside the namespace.

    Sockets made and processes started in the block stay there. The block must not await.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def exists(name: str) -> bool:
    """Whether a namespace of that name is mounted."""
    return (_MOUNTS / name).exists()


def identity(name: str) -> tuple[int, int] | None:
    """Device and inode of the namespace: what /proc/PID/ns/net of its members shows; None when it is gone."""
    try:
        found = (_MOUNTS / name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def names(prefix: str) -> list[str]:
    """The namespaces whose names begin with the prefix."""
    if not _MOUNTS.is_dir():
        return []
    return sorted(entry.name for entry in _MOUNTS.iterdir() if entry.name.startswith(prefix))


def make_instance(name: str) -> None:
    """Make an instance's namespace: loopback, the node address, forwarding between pods, no way out."""
    _ip("netns", "add", name)
    _ip("-n", name, batch=["link set lo up", f"address add {NODE_ADDRESS}/32 dev lo"])
    with inside(name):
        settings = Path("/proc/sys/net/ipv4")
        (settings / "ip_forward").write_text("1")
        for interface in ("all", "default"):
            (settings / "conf" / interface / "rp_filter").write_text("0")


def make_pod(name: str, *, link: str, address: str) -> None:
    """Make a pod's namespace and join it to the namespace of the caller, which must be the instance's.

    Args:
        name: of the new namespace.
        link: name of the interface on the instance's side, at most 15 characters.
        address: the pod's own IPv4 address.
    """
    _ip("netns", "add", name)
    _ip(
        batch=[
            f"link add {link} type veth peer name eth0 netns {name}",
            f"link set {link} up",
            f"route add {address}/32 dev {link} src {NODE_ADDRESS}",
        ]
    )
    _ip(
        "-n",
        name,
        batch=[
            "link set lo up",
            f"address add {address}/32 dev eth0",
            "link set eth0 up",
            f"route add {POD_NETWORK} via {NODE_ADDRESS} dev eth0 onlink",
        ],
    )


def remove(name: str) -> None:
    """Remove a namespace with its links; one that is gone already is no error."""
    if exists(name):
        with contextlib.suppress(DevclusterError):
            _ip("netns", "delete", name)
