"""Credentials from a kubeconfig, for both clients, and what is said when there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from modelramp.kube import login

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a.b.c"  # noqa: S105 - it opens nothing


def written(folder: Path, **user: str) -> str:
    """A kubeconfig with two contexts."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [
            {
                "name": "here",
                "cluster": {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True},
            },
            {"name": "there", "cluster": {"server": "https://127.0.0.1:7443"}},
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me"}} for name in ("here", "there")
        ],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


async def test_both_clients_get_the_same_credentials(tmp_path: Path) -> None:
    """Address, verification and token go over to kopf, with the scheme split off."""
    found = await login.load(kubeconfig=written(tmp_path, token=TOKEN), environment={})
    connection = await login.connection(found)
    assert found.host == connection.server == "https://127.0.0.1:6443"
    assert (connection.scheme, connection.token, connection.insecure) == ("Bearer", TOKEN, True)


async def test_another_context_is_another_cluster(tmp_path: Path) -> None:
    """`--context` beats the current one."""
    found = await login.load(kubeconfig=written(tmp_path), context="there", environment={})
    connection = await login.connection(found)
    assert (connection.server, connection.insecure, connection.token) == (
        "https://127.0.0.1:7443",
        False,
        None,
    )


async def test_a_kubeconfig_that_was_given_beats_the_pods_account(tmp_path: Path) -> None:
    """Inside a pod an explicit kubeconfig is what somebody wanted."""
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    found = await login.load(kubeconfig=written(tmp_path), environment=environment)
    assert found.host == "https://127.0.0.1:6443"


@pytest.mark.parametrize("context", [None, "nowhere"])
async def test_no_credentials_is_an_error_that_says_where(tmp_path: Path, context: str | None) -> None:
    """A file that is not there, or has no such context: the path and the next step are in the message."""
    path = written(tmp_path) if context else str(tmp_path / "none")
    with pytest.raises(login.LoginError, match="Set KUBECONFIG") as caught:
        await login.load(kubeconfig=path, context=context, environment={})
    assert path in str(caught.value)
