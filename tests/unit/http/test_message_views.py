"""A message that is followed: in the queue, half gone, gone, and after a restart that forgot the attempts."""

from dataclasses import replace

from mailhaul_relay.http.message_views import follow_view
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.queue.story import Fate, Ordered, Origins, Story, Tried

NOW = 1_790_000_000.0
TAKEN = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=Reply(250, "2.0.0", "taken"))
REFUSED = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "wrong"), remedy="Correct the Secret.")
ORIGINS = Origins("a@example.com", "10.0.0.9", "shop", "app.example.com", NOW - 5, 100, 1, "submission")
HELD = Progress(
    State.HELD, NOW + 60, 1, upstream="up", stage="auth", fault="auth", code=535, text="535 5.7.8 wrong", changed=NOW
)


def _message(*progress: Progress) -> Message:
    names = ["b@example.net", "c@example.net"][: len(progress)]
    recipients = tuple(Recipient(one, one) for one in names)
    envelope = Envelope("m1", "a@example.com", recipients, "example.com", Origin.SUBMISSION, NOW - 5, 100)
    return Message(envelope, b"\r\n", Body(0, b""), progress)


def _tried(*outcomes: tuple[str, Outcome]) -> Tried:
    fates = tuple(_fate(to, one) for to, one in outcomes)
    return Tried(NOW, "up", "mx.example.net:587", "a@example.com", "example.com", "", fates)


def _fate(to: str, one: Outcome) -> Fate:
    return Fate(to, to, one.verdict.value, one.stage.value, one.fault.value, one.text, one.remedy)


def _story(*tried: Tried) -> Story:
    return Story(ORIGINS, tried)


def test_a_message_that_was_not_tried_yet_has_no_attempts_and_no_time() -> None:
    view = follow_view("m1", _message(Progress()), Story())
    assert (view["state"], view["attempts"], view["nextAttempt"]) == ("queued", [], 0.0)


def test_a_held_message_names_the_reply_the_remedy_and_the_next_attempt() -> None:
    view = follow_view("m1", _message(HELD), _story(_tried(("b@example.net", REFUSED))))
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


def test_mail_that_a_person_holds_has_no_next_attempt() -> None:
    held = Progress(State.HELD, NOW + 60, fault=Fault.OPERATOR.value)
    view = follow_view("m1", _message(held), Story())
    assert (view["state"], view["nextAttempt"], view["recipients"][0]["nextAttempt"]) == ("held", 0.0, 0.0)


def test_after_a_restart_the_last_attempt_is_told_from_the_queue() -> None:
    (attempt,) = follow_view("m1", _message(HELD), Story())["attempts"]
    assert (attempt["time"], attempt["upstream"]) == (NOW, "up")
    assert attempt["outcomes"][0]["reply"] == "535 5.7.8 wrong"


def test_a_message_that_has_left_is_told_from_the_memory() -> None:
    view = follow_view("m1", None, _story(_tried(("b@example.net", TAKEN))))
    assert (view["state"], view["nextAttempt"]) == ("delivered", 0.0)
    assert view["attempts"][0]["outcomes"][0]["reply"] == "250 2.0.0 taken"


def test_a_delivery_that_the_store_has_not_heard_of_yet_counts() -> None:
    view = follow_view("m1", _message(Progress()), _story(_tried(("b@example.net", TAKEN))))
    assert view["state"] == "delivered"


def test_a_message_is_only_delivered_when_every_recipient_is() -> None:
    tried = _tried(("b@example.net", TAKEN), ("c@example.net", REFUSED))
    view = follow_view("m1", _message(Progress(State.DELIVERED), HELD), _story(tried))
    assert view["state"] == "held"
    assert [one["state"] for one in view["recipients"]] == ["delivered", "held"]


def test_a_dead_letter_has_no_next_attempt() -> None:
    view = follow_view("m1", _message(replace(HELD, state=State.DEAD)), Story())
    assert (view["state"], view["nextAttempt"]) == ("dead", 0.0)


def test_what_a_person_dropped_left_the_queue_without_a_delivery() -> None:
    story = _story(_tried(("b@example.net", TAKEN), ("c@example.net", REFUSED)))
    view = follow_view("m1", None, replace(story, ordered=(Ordered(NOW, "drop", ""),)))
    assert (view["state"], view["nextAttempt"]) == ("dropped", 0.0)
    assert [one["state"] for one in view["recipients"]] == ["delivered", "dropped"]


def test_what_has_left_still_tells_who_gave_it_and_what_people_did() -> None:
    story = Story(ORIGINS, (), (Ordered(NOW, "hold", ""), Ordered(NOW + 9, "drop", "")))
    view = follow_view("m1", None, story)
    assert (view["client"], view["account"], view["helo"]) == ("10.0.0.9", "shop", "app.example.com")
    assert (view["state"], [one["verb"] for one in view["orders"]]) == ("dropped", ["hold", "drop"])


def test_a_message_whose_end_a_crash_took_is_not_told_as_dropped() -> None:
    retried = replace(REFUSED, verdict=Verdict.RETRY)
    view = follow_view("m1", None, _story(_tried(("b@example.net", retried))))
    assert (view["state"], view["recipients"][0]["state"]) == ("gone", "gone")
    rewritten = Story(ORIGINS, (), (Ordered(NOW, "rewrite", "From is a@b.example"),))
    assert follow_view("m1", None, rewritten)["state"] == "gone"


def test_mail_that_was_dropped_before_all_had_it_is_not_told_as_delivered() -> None:
    story = Story(ORIGINS._replace(recipients=2), (_tried(("b@example.net", TAKEN)),), (Ordered(NOW, "drop", ""),))
    view = follow_view("m1", None, story)
    assert (view["state"], view["recipients"][0]["state"]) == ("dropped", "delivered")
