"""A status is written at once when a condition changes, once a minute for numbers, never when nothing differs."""

import pytest

from mailhaul_operator.api.conditions import Condition, ConditionStatus
from mailhaul_operator.api.moments import moment
from mailhaul_operator.api.relay_status import LastDelivery, QueueStatus, SmtpRelayStatus
from mailhaul_operator.assess.patch import NUMBERS_EVERY, differs, due_in

NOW = 1_790_000_000.0


def status(message: str = "fine", reason: str = "MailLeaves", **fields: object) -> SmtpRelayStatus:
    ready = Condition(
        type="Ready",
        status=ConditionStatus.TRUE,
        last_transition_time=moment(NOW),
        reason=reason,
        message=message,
    )
    return SmtpRelayStatus.model_validate({"conditions": (ready,), "queue": QueueStatus(queued=1), **fields})


def test_what_is_equal_is_never_written() -> None:
    assert due_in(status(), status(), NOW) is None
    assert not differs(status(), status(), NOW + 10_000)


def test_the_first_status_is_written_at_once() -> None:
    assert differs(None, status(), NOW, written=NOW)


@pytest.mark.parametrize(
    "new",
    [
        status(reason="CredentialRefused"),
        status(message="fine so far"),
        status(upstream="main"),
        status(ready_replicas=2),
        status(observed_generation=2),
        status(last_delivery=LastDelivery(time=moment(NOW), upstream="main")),
    ],
    ids=["reason", "words", "upstream", "replicas", "generation", "first delivery"],
)
def test_what_people_and_tools_act_on_is_written_at_once(new: SmtpRelayStatus) -> None:
    assert due_in(status(), new, NOW, written=NOW) == 0


def test_numbers_alone_wait_for_their_minute() -> None:
    new = status(queue=QueueStatus(queued=7))
    assert due_in(status(), new, NOW + 10, written=NOW) == NUMBERS_EVERY - 10
    assert not differs(status(), new, NOW + 59, written=NOW)
    assert differs(status(), new, NOW + NUMBERS_EVERY, written=NOW)


def test_a_providers_own_numbers_in_its_words_are_numbers() -> None:
    old, new = status(message="454 try later a1-20020a05"), status(message="454 try later b7-1002f3")
    assert due_in(old, new, NOW, written=NOW) == NUMBERS_EVERY


def test_after_a_restart_numbers_are_written_once() -> None:
    assert differs(status(), status(queue=QueueStatus()), NOW)
