"""What a container gets from the API server: variables from ConfigMaps and Secrets, its account's token."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING, Any

from devcluster import netns
from devcluster.agent import spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from devcluster.agent.api import Api

_TOKEN_LIFETIME_S = 86400


async def environment(
    container: Mapping[str, Any],
    *,
    api: Api,
    pod: Mapping[str, Any],
    address: str,
    base: Mapping[str, str],
) -> dict[str, str]:
    """All variables of a container.

    Raises:
        spec.ConfigError: something that is referred to does not exist.
    """
    space = pod["metadata"]["namespace"]
    stores: dict[tuple[str, str], dict[str, str]] = {}
    for kind, name, optional in spec.references(container):
        found = await api.find(f"/api/v1/namespaces/{space}/{kind}/{name}")
        if found is not None:
            stores[kind, name] = _data(found, secret=kind == "secrets")
        elif not optional:
            raise spec.ConfigError(f'{kind.removesuffix("s")} "{name}" not found')
    return spec.environment(
        container,
        base={**base, "HOSTNAME": pod["metadata"]["name"]},
        pod=pod,
        address=address,
        node_address=netns.NODE_ADDRESS,
        stores=stores,
    )


def _data(found: Mapping[str, Any], *, secret: bool) -> dict[str, str]:
    values: dict[str, str] = found.get("data") or {}
    return {k: base64.b64decode(v).decode() for k, v in values.items()} if secret else dict(values)


async def account(root: Path, *, api: Api, pod: Mapping[str, Any], authority: Path) -> None:
    """Write the service account's token, authority and namespace, laid out as under /var/run/secrets.

    Raises:
        ApiError: there is no such account.
    """
    metadata = pod["metadata"]
    reference = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
    request = {"spec": {"expirationSeconds": _TOKEN_LIFETIME_S, "boundObjectRef": reference}}
    name = pod["spec"].get("serviceAccountName", "default")
    path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{name}/token"
    answer = await api.call("POST", path, request)
    folder = root / "kubernetes.io" / "serviceaccount"
    folder.mkdir(parents=True)
    (folder / "token").write_text(answer["status"]["token"])
    (folder / "namespace").write_text(metadata["namespace"])
    shutil.copy(authority, folder / "ca.crt")
