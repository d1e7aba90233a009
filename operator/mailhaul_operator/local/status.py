"""`mailhaul status`: for each relay on one screen, does mail leave, and if not, why and what to do.

Finds relays by the file that `up` writes or by the address of one, asks each for its report, prints. Exit codes: 0 mail
leaves everywhere, 1 it does not somewhere or a relay cannot be asked. Failures: `NoRelayError`, with the remedy.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_contract.report import RelayReport, UpstreamReport
from mailhaul_operator.assess.quota_words import of_report, words
from mailhaul_operator.assess.words import reply_words
from mailhaul_operator.local.mount import Mount
from mailhaul_operator.local.printable import printable
from mailhaul_operator.local.reports import Endpoint, Unreachable, endpoint_of, fetch
from mailhaul_operator.local.state import relay_place
from mailhaul_operator.local.verdict import Verdict, judge


class NoRelayError(Exception):
    """It is not known which relay to ask."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A relay that was asked: what it is called, and what came back."""

    name: str
    endpoint: Endpoint
    answer: RelayReport | Unreachable

    def verdict(self, now: float) -> Verdict | None:
        """Whether mail leaves; None when nobody knows."""
        return judge(self.answer, now) if isinstance(self.answer, RelayReport) else None


def status(endpoints: tuple[tuple[str, Endpoint], ...], output: str) -> int:
    """Ask all relays at once and print; the exit code."""
    asked, now = asyncio.run(_ask(endpoints)), time.time()
    if output == "json":
        sys.stdout.write(json.dumps([_json(one, now) for one in asked], indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(printable("\n".join(screen(one, now) for one in asked)))
    verdicts = [one.verdict(now) for one in asked]
    return 0 if all(verdict and verdict.leaves for verdict in verdicts) else 1


def known_relays(running: Path) -> tuple[tuple[str, Endpoint], ...]:
    """Give the relays that a running `up` wrote down, with their tokens. Raises NoRelayError."""
    try:
        written = json.loads(running.read_bytes())
        state = Path(written["stateDir"])
        return tuple((f"{one['namespace']}/{one['name']}", _endpoint(state, one)) for one in written["relays"])
    except OSError:
        raise NoRelayError(
            f"there is no {running}; start `mailhaul up`, or name a relay with --url http://HOST:PORT"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise NoRelayError(f"{running} is not what `mailhaul up` writes; start it anew") from None


def _endpoint(state: Path, one: dict[str, Any]) -> Endpoint:
    secrets = Mount(relay_place(state, one["namespace"], one["name"]).secrets).read()
    return endpoint_of(one["http"], secrets.get(SECRET_API_TOKEN, b"").decode())


async def _ask(endpoints: tuple[tuple[str, Endpoint], ...]) -> list[Asked]:
    answers = await asyncio.gather(*(fetch(endpoint) for _, endpoint in endpoints))
    return [Asked(name, endpoint, answer) for (name, endpoint), answer in zip(endpoints, answers, strict=True)]


def screen(asked: Asked, now: float) -> str:
    """Give one relay's screen."""
    if isinstance(asked.answer, Unreachable):
        return f"{asked.name}: {asked.answer.cause}\n  remedy: {asked.answer.remedy}\n"
    report, verdict = asked.answer, judge(asked.answer, now)
    name = f"{report.namespace}/{report.name}"
    lines = [f"{name}: {verdict.headline}"]
    for cause in verdict.causes:
        lines += [f"  {'!' if cause.blocks else '-'} {cause.words}", f"    remedy: {cause.remedy}"]
    lines += [f"  {line}" for line in (*_numbers(report), *_upstreams(report), *_last_error(report))]
    return "\n".join(lines) + "\n"


def _numbers(report: RelayReport) -> tuple[str, ...]:
    queue = report.queue
    oldest = f", oldest from {_clock(queue.oldest)}" if queue.oldest else ""
    held = f"{queue.held} held" + (f" ({queue.on_hold} by an operator)" if queue.on_hold else "")
    waits = f"queue: {queue.queued} queued, {queue.deferred} deferred, {held}, {queue.dead} dead{oldest}"
    left = f", last {_clock(report.last_delivery)} by {report.last_delivery_upstream}" if report.last_delivery else ""
    return (waits, f"accepted {report.accepted}, delivered {report.delivered}, failed {report.failed}{left}")


def _upstreams(report: RelayReport) -> tuple[str, ...]:
    return tuple(line for one in report.upstreams for line in (_upstream(one), *_quotas(one)))


def _upstream(one: UpstreamReport) -> str:
    reply = f"; last reply {reply_words(one.last_reply)}" if one.last_reply else ""
    pace = f", at {one.pace:.0%} of its pace" if one.pace < 1 else ""
    where = one.endpoint or one.provider
    return f"upstream {one.name} ({where}): {one.breaker}{pace}, delivered {one.delivered}{reply}"


def _quotas(one: UpstreamReport) -> tuple[str, ...]:
    return tuple(f"  {words(of_report(quota), _clock)}" for quota in one.quotas)


def _last_error(report: RelayReport) -> tuple[str, ...]:
    error = report.last_error
    if error is None:
        return ()
    remedy = f"; remedy: {error.remedy}" if error.remedy else ""
    by = f" by {report.last_error_upstream}" if report.last_error_upstream else ""
    return (f"last error {_clock(error.time)}{by}: {reply_words(error)}{remedy}",)


def _json(asked: Asked, now: float) -> dict[str, Any]:
    known = {"name": asked.name, "url": asked.endpoint.url}
    if isinstance(asked.answer, Unreachable):
        cause = {"reason": "Unreachable", "words": asked.answer.cause, "remedy": asked.answer.remedy, "blocks": True}
        return known | {"mailLeaves": None, "headline": asked.answer.cause, "causes": [cause], "report": None}
    verdict = judge(asked.answer, now)
    causes = [
        {"reason": one.reason, "words": one.words, "remedy": one.remedy, "blocks": one.blocks} for one in verdict.causes
    ]
    leaves = {"mailLeaves": verdict.leaves, "proved": verdict.proved, "headline": verdict.headline}
    return known | leaves | {"causes": causes, "report": asked.answer.model_dump(mode="json", by_alias=True)}


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
