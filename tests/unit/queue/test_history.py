"""The memory of the last transmissions: enough to follow a mail, bounded, and not emptied by a bad hour."""

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.queue.history import KEPT, SHOWN, History
from mailhaul_relay.queue.rounds import Batch

TAKEN = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=Reply(250, "2.0.0", "taken"))
LATER = Outcome(Verdict.RETRY, Stage.RCPT, Fault.TRANSIENT, Reply(451, "", "later"))


def _batch(message_id: str, *recipients: str) -> Batch:
    to = recipients or ("b@example.net",)
    transmission = Transmission(message_id, "a@example.com", to, b"head", Body(4, b"body"))
    return Batch("up", tuple(range(len(to))), transmission)


def _add(history: History, message_id: str, outcome: Outcome, now: float = 0.0) -> None:
    history.add(_batch(message_id), Delivery((outcome,), "mx.example.net:25"), now)


def test_every_attempt_of_a_message_is_told_in_order_with_its_outcome() -> None:
    history = History()
    _add(history, "m1", LATER, 1.0)
    _add(history, "m2", TAKEN, 2.0)
    _add(history, "m1", TAKEN, 3.0)
    first, second = history.of("m1")
    assert (first.time, first.outcomes) == (1.0, (("b@example.net", LATER),))
    assert (second.time, second.upstream, second.endpoint) == (3.0, "up", "mx.example.net:25")
    assert history.of("m3") == ()


def test_each_recipient_keeps_its_own_outcome() -> None:
    history = History()
    history.add(_batch("m1", "b@example.net", "c@example.net"), Delivery((TAKEN, LATER)), 1.0)
    assert history.of("m1")[0].outcomes == (("b@example.net", TAKEN), ("c@example.net", LATER))


def test_the_last_thousand_deliveries_are_known_whatever_is_retried_meanwhile() -> None:
    history = History()
    for number in range(KEPT + 1):
        _add(history, f"m{number}", TAKEN)
    for number in range(2 * KEPT):
        _add(history, f"late{number}", LATER)
    assert not history.of("m0")
    assert history.of("m1")
    assert history.of(f"m{KEPT}")
    assert not history.of("late0")
    assert history.of(f"late{2 * KEPT - 1}")


def test_of_a_long_list_of_recipients_only_the_first_are_kept() -> None:
    history = History()
    many = tuple(f"r{number}@example.net" for number in range(1000))
    history.add(_batch("m1", *many), Delivery((TAKEN,) * 1000), 1.0)
    assert [to for to, _ in history.of("m1")[0].outcomes] == list(many[:SHOWN])
