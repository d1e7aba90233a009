"""Who crowds: a party by many messages, a giver by what it has of a reserve. A giver's mail to one domain alone does
not crowd out its mail to another.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.queueing import mail

from mailhaul_contract.accounts import is_account_name
from mailhaul_contract.domains import DomainError, normal_host
from mailhaul_relay.model.message import Message
from mailhaul_relay.model.party import SEPARATOR, behind, following, giver_of, party_of
from mailhaul_relay.queue.active import MOST_RESERVED, ActiveSet
from mailhaul_relay.queue.crowd import Crowd, Share
from mailhaul_relay.queue.parties import FEW, Parties

BIG, SMALL = party_of("app", "giant.example"), party_of("app", "small.example")
RESERVED = 5


def to(domain: str, number: int, sender: str = "app@example.com") -> Message:
    return mail(f"{sender}{domain}{number}", f"r@{domain}", sender=sender)


def test_a_party_is_the_giver_and_the_domain_that_the_mail_goes_to() -> None:
    one = mail("m1", "r@first.example", "r@second.example")
    assert giver_of(one.envelope.party) == one.envelope.giver
    assert one.envelope.party == party_of(one.envelope.giver, "first.example")
    aliased = replace(one.envelope, recipients=(replace(one.envelope.recipients[0], final="box@real.example"),))
    assert aliased.party == party_of(aliased.giver, "real.example")


@pytest.mark.parametrize("sign", [chr(code) for code in range(0x20)] + ["\x7f"])
def test_no_giver_has_a_sign_that_parts_it_from_its_domain_or_comes_before_that(sign: str) -> None:
    assert SEPARATOR < " "
    assert not is_account_name(f"app{sign}x")
    with pytest.raises(DomainError):
        normal_host(f"exam{sign}ple.com")


@given(st.lists(st.tuples(st.text("ab .", max_size=3), st.text("ab.-", max_size=3)), min_size=2, max_size=6))
def test_the_parties_of_a_giver_are_neighbours_in_the_order_of_strings(pairs: list[tuple[str, str]]) -> None:
    parties = sorted({party_of(f"x {giver}".rstrip(), domain) for giver, domain in pairs})
    for one in parties:
        between = [each for each in parties if giver_of(one) <= each < behind(giver_of(one))]
        assert between == [each for each in parties if giver_of(each) == giver_of(one)]
        assert [each for each in parties if each >= following(one)] == parties[parties.index(one) + 1 :]


def test_a_party_crowds_while_it_has_many_and_its_giver_does_not_for_that() -> None:
    parties = Parties(RESERVED)
    for _ in range(FEW):
        assert not parties.is_crowding(BIG)
        parties.enter(BIG)
    assert parties.is_crowding(BIG)
    assert not parties.is_crowding(SMALL)
    assert parties.crowding == {BIG}
    parties.leave(BIG)
    assert not parties.is_crowding(BIG)
    assert parties.crowding == frozenset()


def test_a_giver_crowds_for_every_domain_while_it_has_its_part_of_the_reserve() -> None:
    parties = Parties(RESERVED)
    ones = [party_of("app", f"d{number}.example") for number in range(RESERVED)]
    for one in ones:
        parties.enter(one)
        assert not parties.is_crowding(SMALL), "what is not in the reserve is no cause"
    for one in ones:
        assert not parties.is_crowding(SMALL)
        parties.enter(one, reserved=True)
    assert parties.is_crowding(SMALL)
    assert parties.crowding == {"app"}
    parties.leave(ones[0], reserved=True)
    assert not parties.is_crowding(SMALL)


def test_the_backlog_of_one_domain_leaves_room_for_the_same_givers_mail_to_another() -> None:
    active = ActiveSet(messages=100)
    big = [active.add(to("giant.example", number)) for number in range(200)]
    assert (big.count(True), active.room) == (90, 0)
    small = [active.add(to("small.example", number)) for number in range(20)]
    assert small.count(True) == FEW


def test_a_giver_that_sprays_domains_does_not_take_the_reserve() -> None:
    active = ActiveSet(messages=1000)
    spray = [active.add(to(f"d{number}.example", number)) for number in range(3000)]
    assert spray.count(True) == 900 + MOST_RESERVED
    few = [active.add(to("d1.example", number, f"app@s{number}.example")) for number in range(100)]
    assert few.count(True) == 100 - MOST_RESERVED
    for number in range(101):
        active.discard(to(f"d{number}.example", number).id)
    assert active.add(to("late.example", 1))


def test_a_giver_that_sprays_domains_at_an_upstream_leaves_its_reserve_to_others() -> None:
    crowd = Crowd(1, None)
    crowd.common = Share(messages=90, octets=10_000)
    parties = [party_of("app", f"d{number}.example") for number in range(90 + FEW)]
    entered = [(one, crowd.enter(1, one)) for one in parties]
    assert [reserved for _, reserved in entered].count(True) == FEW
    assert crowd.crowding == {"app"}
    for one, reserved in entered:
        crowd.leave(1, one, reserved=reserved)
    assert crowd.crowding == frozenset()
