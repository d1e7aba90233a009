"""When a recipient is refused before anything is sent, what its sender hears, and what strangers never hear."""

import pytest
from tests.unit.policy.builders import NOW, STRANGER, TRUSTED, alias, aliases, running

from mailhaul_contract.addresses import Address
from mailhaul_contract.suppression import Suppression
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import admit_recipient
from mailhaul_relay.policy.source import Source
from mailhaul_relay.policy.suppression import Failure, Record, after_failure, by_hand

RULES = Suppression(failures=3, within=1000, lasts=5000)
WORDS = "550 5.1.1 no such user"
TEAM = aliases(alias("team@own.example", "ann@far.example", "bob@far.example"), srs=True)


def _failed(*times: float, record: Record | None = None) -> Record:
    known = record or Record()
    for time in times:
        known = after_failure(known, Failure(time, "primary", WORDS), RULES)
    return known


def test_several_failures_within_the_time_begin_a_refusal() -> None:
    assert not _failed(0, 500).refuses(501)
    record = _failed(0, 500, 900)
    assert (record.refuses(901), record.until, record.words) == (True, 5900, WORDS)


def test_failures_of_long_ago_do_not_count() -> None:
    assert not _failed(0, 500, 1100).refuses(1101)


def test_a_refusal_ends_by_itself_and_is_not_prolonged_while_it_lasts() -> None:
    record = _failed(0, 1, 2, 4000)
    assert (record.until, record.refuses(5001), record.refuses(5002)) == (5002, True, False)


def test_a_persons_word_is_not_changed_by_a_failure() -> None:
    record = by_hand("moved away", 0, 9000)
    assert _failed(1, 2, 3, record=record) == record


def test_a_record_means_nothing_once_it_is_old() -> None:
    record = _failed(0)
    assert (record.is_spent(999, 1000), record.is_spent(1000, 1000)) == (False, True)


def test_a_record_survives_the_store() -> None:
    for record in (_failed(0, 1, 2), by_hand("x", 0, 9)):
        assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize("data", [None, [], [1], [["x"], 0, 0, "", "", False], "text", [[], {}, 0, "", "", 0]])
def test_a_record_that_cannot_be_read_is_none(data: object) -> None:
    assert Record.from_json(data) is None


def _ask(address: str, source: Source, *refused: str, record: Record | None = None) -> Reply | tuple[object, ...]:
    known = record or Record((NOW - 9, NOW - 8, NOW - 7), NOW - 7, NOW + 100, "primary", WORDS)
    relay = running(aliases=TEAM, postmaster="ann@far.example")
    object.__setattr__(relay, "suppressed", {one.casefold(): known for one in refused})
    return admit_recipient(relay, source, Address.parse(address), NOW)


def test_who_may_name_the_address_hears_the_providers_last_words() -> None:
    reply = _ask("You@far.example", TRUSTED, "you@far.example")
    assert isinstance(reply, Reply)
    assert (reply.code, reply.enhanced) == (550, "5.1.1")
    assert "failed permanently 3 times, last at primary: 550 5.1.1 no such user; refused until Tue" in reply.text


def test_others_are_not_refused() -> None:
    assert not isinstance(_ask("else@far.example", TRUSTED, "you@far.example"), Reply)


def test_a_refusal_that_has_ended_refuses_nobody() -> None:
    old = Record((1.0,), 1.0, NOW - 1, "primary", WORDS)
    assert not isinstance(_ask("you@far.example", TRUSTED, "you@far.example", record=old), Reply)


@pytest.mark.parametrize("source", [TRUSTED, STRANGER])
def test_of_an_alias_neither_the_mailbox_nor_words_that_may_name_it_are_told(source: Source) -> None:
    words = "550 5.1.1 ann@far.example is gone"
    told = Record((NOW,), NOW, NOW + 100, "primary", words)
    reply = _ask("team@own.example", source, "ann@far.example", "bob@far.example", record=told)
    assert isinstance(reply, Reply)
    assert "team@own.example: mail to it failed permanently before" in reply.text
    assert "far.example" not in reply.text
    assert "gone" not in reply.text


def test_an_alias_with_a_mailbox_that_still_works_is_taken_whole() -> None:
    admitted = _ask("team@own.example", STRANGER, "ann@far.example")
    assert isinstance(admitted, tuple)
    assert len(admitted) == 2


def test_a_postmaster_is_never_refused() -> None:
    assert not isinstance(_ask("postmaster@own.example", STRANGER, "ann@far.example"), Reply)


def test_a_reply_stays_one_line_whatever_the_provider_said() -> None:
    wild = after_failure(Record(), Failure(NOW, "primary", "5\r\n2.1.1 é\x00" + "x" * 900), Suppression(failures=1))
    reply = _ask("you@far.example", TRUSTED, "you@far.example", record=wild)
    assert isinstance(reply, Reply)
    assert reply.text.isascii()
    assert reply.text.isprintable()
    assert len(str(reply)) < 500


def test_failures_told_by_a_clock_that_was_ahead_refuse_nobody_once_it_is_set_right() -> None:
    year = 31_536_000
    record = Record()
    for at in range(RULES.failures):
        record = after_failure(record, Failure(NOW + year + at, "primary", "550 no"), RULES)
    assert record.refuses(NOW + year + RULES.failures)
    assert not record.refuses(NOW)
    assert by_hand("asked us", NOW + year, NOW + year + 60).refuses(NOW), "a person's word counts whatever the clock"
