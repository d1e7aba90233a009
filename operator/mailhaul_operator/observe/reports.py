"""`Reporters`: asks the pods of relays for their reports, many at once, each with a deadline.

Called by `reconcile` after the apply. A pod that does not report is a finding and no failure: `Silence` says why, and
since when. What a pod says is as hostile as any HTTP: bounded, parsed strictly, and believed about its own relay only.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.wire.http import FAILURES, Request, ask, words_of
from mailhaul_operator.wire.key import Key

PATH: Final = "/v1/report"
AT_ONCE: Final = 64
"""Requests at once, of all relays together."""
_Pod = tuple[str, float]


class Reporters:
    """Remembers since when a pod has been silent."""

    def __init__(self) -> None:
        """Begin with nobody silent."""
        self._silent: dict[Key, dict[_Pod, float]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def fetch(
        self, relay: Key, pods: Iterable[PodView], token: str, now: float
    ) -> dict[str, RelayReport | Silence]:
        """Ask all of these pods of a relay; gives a report or silence for each, by name. `now` in epoch seconds.

        Pods of this relay that are not asked any more are forgotten.
        """
        asked = tuple(pods)
        answers = await asyncio.gather(*(self._one(relay, pod, token) for pod in asked))
        before, silent = self._silent.get(relay, {}), dict[_Pod, float]()
        told: dict[str, RelayReport | Silence] = {}
        for pod, answer in zip(asked, answers, strict=True):
            if isinstance(answer, RelayReport):
                told[pod.name] = answer
            else:
                since = silent[pod.name, pod.created] = min(now, before.get((pod.name, pod.created), now))
                told[pod.name] = Silence(answer, since)
        self._silent[relay] = silent
        return told

    def forget(self, relay: Key) -> None:
        """Forget a relay that is gone."""
        self._silent.pop(relay, None)

    async def _one(self, relay: Key, pod: PodView, token: str) -> RelayReport | str:
        """Give the report of a pod, or why there is none."""
        if not pod.ip:
            return pod.trouble or "the pod has no address yet"
        async with self._gate:
            try:
                status, body = await ask(Request(pod.ip, PATH, token))
            except FAILURES as error:
                return words_of(error)
        return _report(relay, status, body)


def _report(relay: Key, status: int, body: bytes) -> RelayReport | str:
    if status in {401, 403}:
        return "the pod refuses the operator's token"
    if status != 200:
        return f"the pod answers {status}"
    try:
        report = RelayReport.model_validate_json(body, by_alias=True, by_name=False)
    except ValidationError:
        return "the pod's answer is no report"
    if (report.namespace, report.name) != relay[1:]:
        return "the pod reports for another relay"
    return report
