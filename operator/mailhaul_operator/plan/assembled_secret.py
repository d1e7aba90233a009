"""The one Secret that a relay mounts: what it needs of others' Secrets, its API token, and a revision.

Called by `relay_config`. The revision is a random id that is kept while the content is equal; a digest in its place
would let a reader of the configuration test guesses of a password. Pure: chance comes in as `Fresh`.
"""

from collections.abc import Mapping

from mailhaul_contract.names import SECRET_API_TOKEN, SECRET_REVISION
from mailhaul_operator.plan.previous import is_previous
from mailhaul_operator.plan.snapshot import Snapshot


def assemble(snapshot: Snapshot, content: Mapping[str, bytes], previous: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the whole Secret: content, previous credentials, a token and a revision, each kept from the existing one
    if it can be.

    A previous credential only comes with a change of the content, and its going is no news to the relay: the revision
    stays, and the configuration that names it.
    """
    existing, fresh = snapshot.existing, snapshot.fresh
    token = existing.get(SECRET_API_TOKEN) or fresh.api_token.encode()
    wanted = {**content, SECRET_API_TOKEN: token}
    known = {key: value for key, value in existing.items() if key != SECRET_REVISION and not is_previous(key)}
    kept = existing.get(SECRET_REVISION) if known == wanted else None
    return {**dict(sorted({**wanted, **previous}.items())), SECRET_REVISION: kept or fresh.revision.encode()}
