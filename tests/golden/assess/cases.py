"""The cases of `assess`: `views/NAME.yaml` is a world and how it goes on, `expected/NAME.yaml` what is then said of it.

A case has a `kind`, a `world`, and `steps` that lay changes over it (`at` is in seconds); the status of each step is
the previous one of the next. Run `python -m tests.golden.assess.cases` to write what is expected anew, then read the
difference.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.golden.assess.worlds import T0, alias_view, merged, provider_view, relay_view
from tests.support.kstatus_rule import kstatus

from mailhaul_operator.api.moments import epoch
from mailhaul_operator.assess.alias import assess_alias
from mailhaul_operator.assess.events import transitions
from mailhaul_operator.assess.patch import Status
from mailhaul_operator.assess.provider import assess_provider
from mailhaul_operator.assess.relay import assess_relay

HERE = Path(__file__).parent
CASES = tuple(sorted(one.stem for one in (HERE / "views").glob("*.yaml")))


def _relay(world: Any, now: float, previous: Any) -> Status:  # noqa: ANN401 - YAML, and the status of the same kind
    return assess_relay(relay_view(world, now, previous))


def _provider(world: Any, now: float, previous: Any) -> Status:  # noqa: ANN401 - as above
    return assess_provider(provider_view(world, now, previous))


def _alias(world: Any, now: float, previous: Any) -> Status:  # noqa: ANN401 - as above
    return assess_alias(alias_view(world, now, previous))


KINDS: dict[str, Callable[[Any, float, Any], Status]] = {
    "SmtpRelay": _relay,
    "UpstreamProvider": _provider,
    "MailAlias": _alias,
}


@cache
def read(case: str) -> Any:  # noqa: ANN401 - YAML
    """Give a case's YAML."""
    return yaml.safe_load((HERE / "views" / f"{case}.yaml").read_text())


@cache
def statuses(case: str) -> list[tuple[float, int, Status]]:
    """Give time, generation and status of every step of a case."""
    return assessed(case)


def assessed(case: str) -> list[tuple[float, int, Status]]:
    """Assess every step of a case anew."""
    said = read(case)
    assess, world, previous = KINDS[said["kind"]], said.get("world", {}), None
    done: list[tuple[float, int, Status]] = []
    for step in said.get("steps", [{"at": 0}]):
        world = merged(world, {key: value for key, value in step.items() if key != "at"})
        previous = assess(world, T0 + step["at"], previous)
        done.append((step["at"], world.get("generation", 1), previous))
    return done


def outcome(case: str) -> str:
    """Give the text of what is said in each step: what kstatus concludes, conditions, the rest, events."""
    told, before = [], None
    for at, generation, status in statuses(case):
        events = [f"{one.type} {one.reason}: {one.message}" for one in transitions(before, status)]
        told.append({"at": at, "kstatus": kstatus(status, generation), **_readable(status), "events": events})
        before = status
    return yaml.safe_dump(told, sort_keys=False, width=118, allow_unicode=True)


def _readable(status: Status) -> dict[str, Any]:
    """Conditions a line each, with the second in which they flipped; fields that say nothing are left out."""
    conditions = {
        one.type: f"{one.status} {one.reason} @{epoch(one.last_transition_time) - T0:.0f}: {one.message}"
        for one in status.conditions
    }
    rest = status.to_json()
    return {"conditions": conditions, "status": {key: rest[key] for key in rest if key not in _LEFT_OUT}}


_LEFT_OUT = {"conditions", "selector", "address", "observedGeneration", "replicas"}


def expected(case: str) -> str:
    """Give the text that lies in `expected/`."""
    return (HERE / "expected" / f"{case}.yaml").read_text()


if __name__ == "__main__":
    for name in CASES:
        (HERE / "expected" / f"{name}.yaml").write_text(outcome(name))
