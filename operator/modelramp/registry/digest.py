"""The identity of a version's record: what a rejection, an approval and a pod name when they name a version.

Two records have the same digest exactly when everything that was written in them is the same. The wanted
stage is not part of it. What is absent is not in it either: later releases can add fields, old digests stay.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from modelramp.api.modelversion import MUTABLE

if TYPE_CHECKING:
    from modelramp.api.modelversion import ModelVersionSpec

SCHEME = "v1:sha256"
# Up to where ECMAScript writes a number without an exponent: digits before the point, zeros after it.
_LONGEST, _SMALLEST = 21, -6


def canonical(spec: ModelVersionSpec) -> bytes:
    """The record as canonical JSON (RFC 8785), without its mutable fields.

    Keys are sorted, there is no space between tokens, and text is UTF-8 as it was written. All keys are
    ASCII, so Python's own order is that of the RFC; numbers are written by `number`.
    """
    record = {name: value for name, value in spec.wire().items() if name not in MUTABLE}
    return _text(record).encode()


def number(value: float) -> str:
    """A finite number as ECMAScript writes it (RFC 8785, 3.2.2.3): 1, 0.1, 0.000001, 1e-7, 1e+21.

    The digits are the fewest that give the number back, in Python too; the notations differ.
    """
    sign, known, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(str(digit) for digit in known)
    point = len(digits) + int(exponent)
    digits = digits.rstrip("0")
    if not digits.strip("0"):
        return "0"
    if 0 < point <= _LONGEST:
        whole, part = digits[:point].ljust(point, "0"), digits[point:]
        text = f"{whole}.{part}" if part else whole
    elif _SMALLEST < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
        text = f"{mantissa}e{point - 1:+d}"
    return f"-{text}" if sign else text


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def record_digest(spec: ModelVersionSpec) -> str:
    """`v1:sha256:` and 64 hexadecimal digits, over the canonical record.

    The scheme is named first, so that a digest says how it was made if there ever is another way.
    """
    return f"{SCHEME}:{hashlib.sha256(canonical(spec)).hexdigest()}"
