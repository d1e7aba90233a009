"""Canonical JSON and the digest by which operator and relay agree on what runs.

The digest is taken over bytes as they lie in the file, never over a model that was parsed and written again.
"""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Give the one byte form of a JSON value: sorted keys, no blanks, UTF-8, a line feed at the end."""
    return (
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    )


def digest(content: bytes) -> str:
    """Give `sha256:` and the hexadecimal SHA-256 of a file's bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
