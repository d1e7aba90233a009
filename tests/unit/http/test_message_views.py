"""A message that is followed: in the queue, half gone, gone, and after a restart that forgot the attempts."""

from dataclasses import replace

from mailhaul_relay.http.message_views import follow_view
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.queue.history import Tried

NOW = 1_790_000_000.0
TAKEN = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=Reply(250, "2.0.0", "taken"))
REFUSED = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "wrong"), remedy="Correct the Secret.")
HELD = Progress(
    State.HELD, NOW + 60, 1, upstream="up", stage="auth", fault="auth", code=535, text="535 5.7.8 wrong", changed=NOW
)


def _message(*progress: Progress) -> Message:
    names = ["b@example.net", "c@example.net"][: len(progress)]
    recipients = tuple(Recipient(one, one) for one in names)
    envelope = Envelope("m1", "a@example.com", recipients, "example.com", Origin.SUBMISSION, NOW - 5, 100)
    return Message(envelope, b"\r\n", Body(0, b""), progress)


def _tried(*outcomes: tuple[str, Outcome]) -> Tried:
    return Tried(NOW, "up", "mx.example.net:587", outcomes)


def test_a_message_that_was_not_tried_yet_has_no_attempts_and_no_time() -> None:
    view = follow_view("m1", _message(Progress()), ())
    assert (view["state"], view["attempts"], view["nextAttempt"]) == ("queued", [], 0.0)


def test_a_held_message_names_the_reply_the_remedy_and_the_next_attempt() -> None:
    view = follow_view("m1", _message(HELD), (_tried(("b@example.net", REFUSED)),))
    assert (view["state"], view["nextAttempt"]) == ("held", NOW + 60)
    assert view["attempts"][0]["outcomes"] == [
        {
            "address": "b@example.net",
            "verdict": "hold",
            "stage": "auth",
            "fault": "auth",
            "reply": "535 5.7.8 wrong",
            "remedy": "Correct the Secret.",
        }
    ]


def test_after_a_restart_the_last_attempt_is_told_from_the_queue() -> None:
    (attempt,) = follow_view("m1", _message(HELD), ())["attempts"]
    assert (attempt["time"], attempt["upstream"]) == (NOW, "up")
    assert attempt["outcomes"][0]["reply"] == "535 5.7.8 wrong"


def test_a_message_that_has_left_is_told_from_the_memory() -> None:
    view = follow_view("m1", None, (_tried(("b@example.net", TAKEN)),))
    assert (view["state"], view["nextAttempt"]) == ("delivered", 0.0)
    assert view["attempts"][0]["outcomes"][0]["reply"] == "250 2.0.0 taken"


def test_a_delivery_that_the_store_has_not_heard_of_yet_counts() -> None:
    view = follow_view("m1", _message(Progress()), (_tried(("b@example.net", TAKEN)),))
    assert view["state"] == "delivered"


def test_a_message_is_only_delivered_when_every_recipient_is() -> None:
    tried = _tried(("b@example.net", TAKEN), ("c@example.net", REFUSED))
    view = follow_view("m1", _message(Progress(State.DELIVERED), HELD), (tried,))
    assert view["state"] == "held"
    assert [one["state"] for one in view["recipients"]] == ["delivered", "held"]


def test_a_dead_letter_has_no_next_attempt() -> None:
    view = follow_view("m1", _message(replace(HELD, state=State.DEAD)), ())
    assert (view["state"], view["nextAttempt"]) == ("dead", 0.0)


def test_what_left_the_queue_without_a_delivery_was_dropped() -> None:
    view = follow_view("m1", None, (_tried(("b@example.net", TAKEN), ("c@example.net", REFUSED)),))
    assert (view["state"], view["nextAttempt"]) == ("dropped", 0.0)
    assert [one["state"] for one in view["recipients"]] == ["delivered", "dropped"]
