"""Entries in force of aliases that nobody can read now, as far as the relay still consents to them.

Called by `aliases`. A namespace that is closed to the operator takes no alias from a relay: its mail would be refused
for good. Such an entry keeps its address until its alias can be read again. Pure.
"""

from collections.abc import Mapping

from mailhaul_contract.forwarding import Alias
from mailhaul_operator.plan.consent import consents
from mailhaul_operator.plan.patterns import Pattern
from mailhaul_operator.plan.snapshot import Snapshot


def still_in_force(snapshot: Snapshot) -> Mapping[Pattern, Alias]:
    """Give them by their patterns."""
    own = {one.name: one.namespaces for one in snapshot.relay.spec.aliases.domains}
    found = {Pattern.of(one.type, one.value): one for one in snapshot.unseen}
    return {
        pattern: one
        for pattern, one in found.items()
        if pattern.domain in own and consents(own[pattern.domain], snapshot, one.namespace)
    }
