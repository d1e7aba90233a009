"""The annotation by which an apply that changes nothing is seen without memory (docs/design/0020-operator-seams.md).

Called by `objects` and `external_secrets` on every object, last. Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping

from mailhaul_contract.digest import canonical_json
from mailhaul_operator.plan.naming import SPEC
from mailhaul_operator.plan.snapshot import Manifest


def marked(manifest: Manifest) -> Manifest:
    """Give the object with the SHA-256 of its canonical JSON in the annotation."""
    return _annotated(manifest, hashlib.sha256(canonical_json(manifest)).hexdigest())


def marked_secret(manifest: Manifest, revision: str, keys: Iterable[str]) -> Manifest:
    """Give the assembled Secret with its revision in the annotation, for a digest of a password can be guessed at.

    A previous credential that is dropped keeps the revision, so the names of the keys are in the mark too.
    """
    rest = {**manifest, "data": sorted(keys)}
    return _annotated(manifest, f"{revision}.{hashlib.sha256(canonical_json(rest)).hexdigest()[:16]}")


def _annotated(manifest: Manifest, mark: str) -> Manifest:
    metadata: Mapping[str, object] = manifest["metadata"]
    known = metadata.get("annotations", {})
    annotations = {**(known if isinstance(known, Mapping) else {}), SPEC: mark}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
