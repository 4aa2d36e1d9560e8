"""Who may speak to the API server as whom: kubeconfigs for users, groups and service accounts."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import yaml

from devcluster import netns
from devcluster.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from devcluster.instance import Instance

INSIDE = f"https://{netns.NODE_ADDRESS}:6443"


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _document(*, instance: str, server: str, authority: bytes, user: str, credentials: dict[str, str]) -> str:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": instance,
        "clusters": [
            {
                "name": instance,
                "cluster": {"server": server, "certificate-authority-data": _encoded(authority)},
            }
        ],
        "users": [{"name": user, "user": credentials}],
        "contexts": [
            {"name": instance, "context": {"cluster": instance, "user": user, "namespace": "default"}}
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def for_user(instance: Instance, *, server: str, user: str, groups: tuple[str, ...] = ()) -> str:
    """A kubeconfig with a client certificate for any user in any groups, as YAML."""
    authority = Authority.load(instance.pki)
    pair = authority.client(user, groups)
    credentials = {
        "client-certificate-data": _encoded(pair.certificate),
        "client-key-data": _encoded(pair.key),
    }
    return _document(
        instance=instance.namespace,
        server=server,
        authority=authority.pem,
        user=user,
        credentials=credentials,
    )


def with_token(instance: Instance, *, server: str, user: str, token: str) -> str:
    """A kubeconfig with a bearer token, as YAML."""
    return _document(
        instance=instance.namespace,
        server=server,
        authority=(instance.pki / "ca.crt").read_bytes(),
        user=user,
        credentials={"token": token},
    )


def write(path: Path, text: str) -> Path:
    """Write a kubeconfig for its owner alone; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return path
