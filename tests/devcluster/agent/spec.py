"""What a pod asks for, worked out from its manifest: environment, command line, ports, restarts. All pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATUS_ONLY = "devcluster.modelramp.dev/status-only"
WANTED_ADDRESS = "devcluster.modelramp.dev/pod-ip"
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_MAX_BACKOFF_S = 300.0
# "$$" is an escaped "$"; "$(NAME)" is a reference.
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(Exception):
    """The container cannot be configured; the message is what its status will show."""


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value as Kubernetes does: unknown names stay, and $$ becomes $."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return known.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def field(pod: Mapping[str, Any], path: str, *, address: str, node_address: str) -> str:
    """The value behind a downward-API fieldRef.

    Raises:
        ConfigError: the field is not one that can be referred to.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.fullmatch(path):
        return str(metadata.get(match[1], {}).get(match[2], ""))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": node_address,
        "status.hostIPs": node_address,
    }
    if path not in values:
        raise ConfigError(f"fieldPath {path!r} is not supported")
    return str(values[path])


def references(container: Mapping[str, Any]) -> set[tuple[str, str, bool]]:
    """ConfigMaps and Secrets that a container's environment reads: (kind, name, optional)."""
    found: set[tuple[str, str, bool]] = set()
    sources = [entry.get("valueFrom", {}) for entry in container.get("env", [])]
    for key, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        found |= {(kind, s[key]["name"], s[key].get("optional", False)) for s in sources if key in s}
    for key, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        found |= {
            (kind, entry[key]["name"], entry[key].get("optional", False))
            for entry in container.get("envFrom", [])
            if key in entry
        }
    return found


def environment(
    container: Mapping[str, Any],
    *,
    base: Mapping[str, str],
    pod: Mapping[str, Any],
    address: str,
    node_address: str,
    stores: Mapping[tuple[str, str], Mapping[str, str]],
) -> dict[str, str]:
    """The container's environment.

    Args:
        container: its part of the pod's spec.
        base: what an image would set, e.g. PATH.
        pod: the pod object.
        address: of the pod.
        node_address: of its node.
        stores: the data of ConfigMaps and Secrets by (kind, name); an absent optional one is not in it.

    Raises:
        ConfigError: a key or field that is referred to does not exist.
    """
    result = dict(base)
    for entry in container.get("envFrom", []):
        kind = "configmaps" if "configMapRef" in entry else "secrets"
        reference = entry.get("configMapRef") or entry.get("secretRef")
        for key, value in stores.get((kind, reference["name"]), {}).items():
            result[entry.get("prefix", "") + key] = value
    for entry in container.get("env", []):
        source = entry.get("valueFrom")
        if source is None:
            result[entry["name"]] = expand(entry.get("value", ""), result)
        elif "fieldRef" in source:
            path = source["fieldRef"]["fieldPath"]
            result[entry["name"]] = field(pod, path, address=address, node_address=node_address)
        else:
            stored = _stored(source, stores)
            if stored is not None:
                result[entry["name"]] = stored
    return result


def _stored(source: Mapping[str, Any], stores: Mapping[tuple[str, str], Mapping[str, str]]) -> str | None:
    for key, kind, title in (
        ("configMapKeyRef", "configmaps", "ConfigMap"),
        ("secretKeyRef", "secrets", "Secret"),
    ):
        if key in source:
            reference = source[key]
            value = stores.get((kind, reference["name"]), {}).get(reference["key"])
            if value is None and not reference.get("optional", False):
                raise ConfigError(f"couldn't find key {reference['key']} in {title} {reference['name']}")
            return value
    raise ConfigError(f"environment source {', '.join(source)} is not supported")


def refuse_volumes(container: Mapping[str, Any]) -> None:
    """Only the service account can be mounted.

    Raises:
        ConfigError: the container mounts something else.
    """
    paths = [m["mountPath"] for m in container.get("volumeMounts", []) if m["mountPath"] != ACCOUNT_PATH]
    if paths:
        raise ConfigError(f"the node agent has no volumes; the container mounts {', '.join(paths)}")


def wants_account(container: Mapping[str, Any]) -> bool:
    """Whether the service account's token is mounted."""
    return any(mount["mountPath"] == ACCOUNT_PATH for mount in container.get("volumeMounts", []))


def command_line(container: Mapping[str, Any], known: Mapping[str, str]) -> list[str]:
    """The process to start.

    Raises:
        ConfigError: there is no command; an image's own entry point is not known here.
    """
    command: Sequence[str] = container.get("command") or []
    if not command:
        raise ConfigError(
            f"no command specified; the entry point of image {container['image']!r} is not known here"
        )
    return [expand(part, known) for part in (*command, *container.get("args", []))]


def image_exists(image: str) -> bool:
    """Whether the image counts as pullable: all do, but for registries in the reserved domain `invalid`."""
    registry = image.split("/", 1)[0].split(":", 1)[0]
    return not ("/" in image and (registry == "invalid" or registry.endswith(".invalid")))


def port_number(container: Mapping[str, Any], port: int | str) -> int:
    """A probe's port, which may be the name of a container port.

    Raises:
        ConfigError: no container port has that name.
    """
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for entry in container.get("ports", []):
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise ConfigError(f"container {container['name']} has no port named {port!r}")


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a container that ended is started again."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def backoff(failures: int, first: float) -> float:
    """Seconds before restart number `failures` (from 1): none, first, 2·first … at most five minutes."""
    if failures <= 1:
        return 0.0
    return min(first * 2.0 ** (failures - 2), _MAX_BACKOFF_S)


@dataclass(slots=True)
class Threshold:
    """Counts a probe's answers in a row.

    Attributes:
        success: how many good answers make it pass.
        failure: how many bad ones make it fail.
    """

    success: int
    failure: int
    _good: int = 0
    _bad: int = 0

    def observe(self, *, ok: bool) -> bool | None:
        """True or False when this answer reaches a threshold, None while it does not."""
        self._good, self._bad = (self._good + 1, 0) if ok else (0, self._bad + 1)
        if ok and self._good >= self.success:
            return True
        if not ok and self._bad >= self.failure:
            return False
        return None
