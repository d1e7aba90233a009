"""The demo may only succeed when every mail arrived exactly once."""

from tests.support.demo.ledger import Arrival, Mail, missing, surplus, ways

ORDER = Mail("Order", "shop@x.example", ("team@x.example",), ("alice@y.example", "bob@y.example"))
TO_ALICE = Arrival("Order", "alice@y.example", "provider")
TO_BOB = Arrival("Order", "bob@y.example", "inbox")


def test_each_mailbox_once_is_good_whichever_upstream_took_it() -> None:
    assert missing([ORDER], [TO_ALICE, TO_BOB]) == []
    assert surplus([ORDER], [TO_ALICE, TO_BOB]) == []
    assert ways(ORDER, [TO_ALICE, TO_BOB]) == {"provider", "inbox"}


def test_a_mailbox_that_got_nothing_is_named() -> None:
    assert missing([ORDER], [TO_ALICE]) == ["'Order' to bob@y.example did not arrive"]


def test_a_mail_that_came_twice_is_named_even_by_two_upstreams() -> None:
    twice = [TO_ALICE, Arrival("Order", "alice@y.example", "inbox"), TO_BOB]
    assert surplus([ORDER], twice) == ["'Order' to alice@y.example arrived 2 times"]


def test_a_mail_for_a_stranger_is_named() -> None:
    stray = Arrival("Order", "team@x.example", "provider")
    assert surplus([ORDER], [TO_ALICE, TO_BOB, stray]) == ["'Order' to team@x.example was sent to nobody"]
