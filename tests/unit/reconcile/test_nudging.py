"""Pods are nudged when they run something old, ever more rarely, and never for what they run or refuse."""

from typing import Any

from mailhaul_contract.report import RefusedConfig, RelayReport
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.reconcile.nudging import Nudges, Target
from mailhaul_operator.wire.key import Key

RELAY = Key("SmtpRelay", "smtp", "relay")
NEW = Target("sha256:" + "b" * 64, "r2")


class Api:
    """Keeps the annotation that each nudge sets."""

    def __init__(self) -> None:
        self.values: list[str] = []

    async def patch(self, kind: Any, key: tuple[str, str], patch: Any, subresource: str) -> dict[str, Any]:  # noqa: ANN401
        assert (kind.kind, subresource) == ("Pod", "status")
        self.values.append(f"{key[1]} {patch['metadata']['annotations']['mailhaul.dev/nudge']}")
        return {}


def pod(digest: str, revision: str, refused: str = "", *, terminating: bool = False) -> PodView:
    report = RelayReport(
        namespace="smtp",
        name="relay",
        pid=1,
        started=0,
        time=0,
        digest=digest,
        secret_revision=revision,
        accepting=True,
        refused_config=RefusedConfig(digest=refused, time=0, reasons=("no",)) if refused else None,
    )
    return PodView("relay-0", 0, "10.0.0.1", True, True, terminating, 0, report=report)


OLD = pod("sha256:" + "a" * 64, "r1")


async def passes(*pods: PodView, seconds: int, target: Target = NEW) -> list[str]:
    api, now = Api(), [0.0]
    nudges = Nudges(api, lambda: now[0])  # type: ignore[arg-type]
    for _ in range(seconds):
        await nudges.nudge(RELAY, pods, target)
        now[0] += 1
    return api.values


async def test_a_pod_that_runs_the_old_is_nudged_at_once() -> None:
    assert await passes(OLD, seconds=1) == ["relay-0 bbbbbbbbbbbbbbbb.r2.0"]


async def test_it_is_nudged_again_ever_later_with_another_value_and_then_left_alone() -> None:
    values = await passes(OLD, seconds=120)
    assert [one.rpartition(".")[2] for one in values] == ["0", "1", "2", "3"]


async def test_a_new_secret_alone_is_a_reason_too() -> None:
    assert len(await passes(pod(NEW.digest, "r1"), seconds=1)) == 1


async def test_nobody_is_nudged_for_what_it_runs_or_refuses() -> None:
    refusing = pod("sha256:" + "a" * 64, "r1", refused=NEW.digest)
    assert await passes(pod(NEW.digest, "r2"), refusing, seconds=5) == []


async def test_pods_that_go_or_do_not_answer_are_left_alone() -> None:
    silent = PodView("relay-1", 1, "10.0.0.2", True, True, False, 0, report=Silence("no answer in 3 s", 0))
    assert await passes(pod("a", "r1", terminating=True), silent, seconds=5) == []


async def test_a_newer_target_is_nudged_for_anew() -> None:
    api, now = Api(), [0.0]
    nudges = Nudges(api, lambda: now[0])  # type: ignore[arg-type]
    await nudges.nudge(RELAY, [OLD], NEW)
    await nudges.nudge(RELAY, [OLD], Target(NEW.digest, "r3"))
    assert [one.rpartition(" ")[2] for one in api.values] == ["bbbbbbbbbbbbbbbb.r2.0", "bbbbbbbbbbbbbbbb.r3.0"]
