"""Replicas that are to go deliver what they hold first: who is asked to drain, and who may still hold mail.

`relay` gives the orders and keeps the workload's size by `holding`. What is not known counts as mail: a replica that
does not answer, or that has not stopped taking mail, stays. Pure.
"""

from collections.abc import Iterable
from typing import Final

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.view import PodView

BELIEVED: Final = 30.0
"""Seconds for which what a replica said is acted upon. One whose container began anew has forgotten the order, and
takes mail; while the API server is away nobody is asked.
"""


def orders(pods: Iterable[PodView], wanted: int) -> dict[str, bool]:
    """Give which pods to tell, by name: True to drain, False to go on as before."""
    told: dict[str, bool] = {}
    for pod in pods:
        if pod.ordinal is None or pod.terminating or not isinstance(pod.report, RelayReport):
            continue
        leaves = pod.ordinal >= wanted
        if pod.report.draining is not leaves:
            told[pod.name] = leaves
    return told


def emptied(pods: Iterable[PodView], before: Iterable[PodView], wanted: int) -> frozenset[int]:
    """Give the ordinals of leaving replicas that take no new mail and hold none.

    Such a one must have been so in the pass `before` too: a message that was under way when the order came is accepted
    between two reports.
    """
    return frozenset(one for one in _empty(pods) & _empty(before) if one >= wanted)


def still(emptied: frozenset[int], age: float) -> frozenset[int]:
    """Give those that were found empty, if that is not long ago; none otherwise, and they are looked at again."""
    return emptied if 0 <= age < BELIEVED else frozenset()


def holding(empty: frozenset[int], wanted: int, replicas: int, before: frozenset[int] = frozenset()) -> frozenset[int]:
    """Give the ordinals of a workload of `replicas` that are above the wanted ones and may hold mail; so may those that
    did `before` and were not found empty since, for somebody else may have made the workload smaller.

    To be asked with the wish of this moment: when the last pass ran, these replicas may not have been leaving yet.
    """
    return frozenset(one for one in {*range(wanted, replicas), *before} if one >= wanted) - empty


def held(pods: Iterable[PodView], wanted: int) -> dict[str, int]:
    """Give how many messages each leaving replica holds, by name, as far as it is known."""
    leaving = [one for one in pods if one.ordinal is not None and one.ordinal >= wanted]
    return {one.name: _messages(one.report) for one in leaving if isinstance(one.report, RelayReport)}


def away(workload: str, holding: frozenset[int], pods: Iterable[PodView]) -> frozenset[str]:
    """Give the names of the replicas that may hold mail and have no pod just now: deleted, or going without a word."""
    there = {one.ordinal for one in pods if not one.terminating or isinstance(one.report, RelayReport)}
    return frozenset(f"{workload}-{one}" for one in holding - there)


def _empty(pods: Iterable[PodView]) -> frozenset[int]:
    there = [(one.ordinal, one.report) for one in pods]
    return frozenset(
        ordinal
        for ordinal, report in there
        if ordinal is not None and isinstance(report, RelayReport) and _is_empty(report)
    )


def _is_empty(report: RelayReport) -> bool:
    return report.draining and not report.accepting and _messages(report) == 0


def _messages(report: RelayReport) -> int:
    queue = report.queue
    return queue.queued + queue.deferred + queue.held + queue.dead + queue.quarantined
