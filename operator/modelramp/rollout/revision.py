"""The unit of a rollout: a version, the digest of its record, and the pod template as the user wrote it.

A new template under the same version is a new revision. Names are made of a hash, so that they are unique and
stay the same across releases of the operator (golden names guard that in a test).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.histogram import Histogram

HASH_LENGTH = 8
CHILD_NAME_LENGTH = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a rollout rolls out.

    Attributes:
        name: `<version>-<hash8>`; what status, rejections and labels speak of.
        version: semantic version.
        digest: identity of the ModelVersion's record.
        service: name of its Deployment and Service.
        port: port of its pods and of its Service.
        template: the pod template as the user wrote it; empty when the revision is only remembered.
        environment: what is put into every container: MODEL_NAME, MODEL_VERSION, MODEL_URI, MODEL_DIGEST.
        expected_shift: distributions that are meant to change with it.
        frozen: distributions as they were when the version was made, by name.
    """

    name: str
    version: str
    digest: str
    service: str
    port: int
    template: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    expected_shift: tuple[str, ...] = ()
    frozen: Mapping[str, Histogram] = field(default_factory=dict)


def revision_hash(*, version: str, digest: str, template: Mapping[str, Any], port: int) -> str:
    """First 8 hexadecimal digits of sha256 over the canonical JSON of what makes a revision."""
    content = {"digest": digest, "port": port, "template": template, "version": version}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def child_name(deployment: str, version: str, hash8: str) -> str:
    """Name of a revision's Deployment and Service: a DNS label, at most 63 characters, unique by its hash."""
    stem = f"{deployment}-{version}".replace(".", "-")[: CHILD_NAME_LENGTH - HASH_LENGTH - 1].rstrip("-")
    return f"{stem}-{hash8}"


def make_revision(
    *,
    deployment: str,
    version: str,
    digest: str,
    template: Mapping[str, Any],
    port: int,
    environment: Mapping[str, str],
    expected_shift: tuple[str, ...] = (),
    frozen: Mapping[str, Histogram] | None = None,
) -> Revision:
    """The revision that a ModelDeployment wants now."""
    hash8 = revision_hash(version=version, digest=digest, template=template, port=port)
    return Revision(
        name=f"{version}-{hash8}",
        version=version,
        digest=digest,
        service=child_name(deployment, version, hash8),
        port=port,
        template=template,
        environment=environment,
        expected_shift=expected_shift,
        frozen=frozen or {},
    )
