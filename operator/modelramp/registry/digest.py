"""The identity of a version's record: what a rejection, an approval and a pod name when they name a version.

Two records have the same digest exactly when everything that was written in them is the same. The wanted
stage is not part of it. What is absent is not in it either: later releases can add fields, old digests stay.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from modelramp.api.modelversion import MUTABLE

if TYPE_CHECKING:
    from modelramp.api.modelversion import ModelVersionSpec

SCHEME = "v1:sha256"


def canonical(spec: ModelVersionSpec) -> bytes:
    """The record as canonical JSON (RFC 8785), without its mutable fields.

    Keys are sorted, there is no space between tokens, and text is UTF-8 as it was written. All keys are ASCII
    and all numbers integers, so Python's own order and notation are those of the RFC.
    """
    record = {name: value for name, value in spec.wire().items() if name not in MUTABLE}
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def record_digest(spec: ModelVersionSpec) -> str:
    """`v1:sha256:` and 64 hexadecimal digits, over the canonical record.

    The scheme is named first, so that a digest says how it was made if there ever is another way.
    """
    return f"{SCHEME}:{hashlib.sha256(canonical(spec)).hexdigest()}"
