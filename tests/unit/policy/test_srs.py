"""SRS: what we sign comes back, what we did not sign does not."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_relay.policy.dates import DAY
from mailhaul_relay.policy.srs import MAX_AGE_DAYS, SrsRewriter

NOW = 1_700_000_000.0
OURS = SrsRewriter((b"new", b"old"), "own.example")


def back(rewriter: SrsRewriter, address: str, now: float = NOW) -> str | None:
    return rewriter.reverse(Address.parse(address), now)


def test_first_rewriting_comes_back_to_the_sender() -> None:
    signed = OURS.forward("Ann@far.example", NOW)
    assert signed.startswith("SRS0=")
    assert signed.endswith("=far.example=Ann@own.example")
    assert back(OURS, signed) == "Ann@far.example"


def test_second_rewriting_comes_back_to_the_first_relay() -> None:
    first = SrsRewriter((b"theirs",), "first.example")
    at_first = first.forward("ann@far.example", NOW)
    signed = OURS.forward(at_first, NOW)
    assert signed.startswith("SRS1=")
    assert back(OURS, signed) == at_first
    assert back(first, at_first) == "ann@far.example"


def test_third_rewriting_still_names_the_first_relay() -> None:
    first = SrsRewriter((b"theirs",), "first.example").forward("ann@far.example", NOW)
    second = SrsRewriter((b"others",), "second.example").forward(first, NOW)
    third = OURS.forward(second, NOW)
    assert third.count("SRS") == 1
    assert back(OURS, third) == first


@pytest.mark.parametrize("relay", ["first_relay.example", "", "-first.example"])
def test_a_sender_that_only_looks_rewritten_comes_back_as_it_is(relay: str) -> None:
    sender = f"SRS1=hash={relay}==hash=AA=far.example=ann@second.example"
    assert back(OURS, OURS.forward(sender, NOW)) == sender


def test_hash_is_compared_without_case_as_relays_fold_local_parts() -> None:
    signed = OURS.forward("ann@far.example", NOW)
    assert back(OURS, signed.lower()) == "ann@far.example"
    assert back(OURS, signed.upper()) == "ANN@far.example"


def test_every_secret_verifies_and_the_first_signs() -> None:
    old = SrsRewriter((b"old",), "own.example").forward("ann@far.example", NOW)
    assert back(OURS, old) == "ann@far.example"
    assert back(SrsRewriter((b"old",), "own.example"), OURS.forward("ann@far.example", NOW)) is None


@pytest.mark.parametrize(
    ("days", "valid"), [(0, True), (MAX_AGE_DAYS, True), (MAX_AGE_DAYS + 1, False), (-1, False), (1024, True)]
)
def test_age_is_limited(days: int, valid: bool) -> None:
    signed = OURS.forward("ann@far.example", NOW)
    assert (back(OURS, signed, NOW + days * DAY) is not None) is valid


@pytest.mark.parametrize(
    "address",
    [
        "SRS0=AAAA=AA=far.example=ann@own.example",
        "SRS0=AAAA@own.example",
        "SRS0@own.example",
        "SRS1=AAAA=first.example==AAAA=AA=far.example=ann@own.example",
        "SRS1=AAAA@own.example",
        "SRS2=AAAA=AA=far.example=ann@own.example",
        "SRS0AAAA=AA=far.example=ann@own.example",
        "ann@own.example",
    ],
)
def test_what_was_not_signed_does_not_come_back(address: str) -> None:
    assert back(OURS, address) is None


@pytest.mark.parametrize("kept", [0, 4, 9])
def test_a_hash_that_is_short_enough_to_guess_does_not_come_back(kept: int) -> None:
    """RCPT answers tens of thousands of guesses a second; four characters without case are two million."""
    tag, signed, rest = OURS.forward("ann@far.example", NOW).split("=", 2)
    assert len(signed) == 10
    assert back(OURS, f"{tag}={signed[:kept]}={rest}") is None
    inner = f"{tag}={signed}={rest}"
    _, hash_, relayed = OURS.forward(inner.replace("@own.example", "@first.example"), NOW).split("=", 2)
    assert back(OURS, f"SRS1={hash_}={relayed}") == inner.replace("@own.example", "@first.example")
    assert back(OURS, f"SRS1={hash_[:kept]}={relayed}") is None


def test_another_domain_is_not_ours_to_reverse() -> None:
    signed = OURS.forward("ann@far.example", NOW).replace("@own.example", "@other.example")
    assert back(OURS, signed) is None


@pytest.mark.parametrize("sender", ["", "ann@own.example", f"{'x' * 230}@far-away.example"])
def test_null_own_and_overlong_senders_stay(sender: str) -> None:
    assert OURS.forward(sender, NOW) == sender


def test_repr_shows_no_secret() -> None:
    assert "new" not in repr(OURS)


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30),
    st.sampled_from(["=", "+", "-"]),
)
def test_round_trip(local: str, separator: str) -> None:
    try:
        sender = str(Address.parse(str(Address(f"{local}", "far.example"))))
    except AddressError:
        reject()
    signed = OURS.forward(sender, NOW)
    assert back(OURS, signed.replace("SRS0=", f"SRS0{separator}", 1)) == sender


@given(st.text(max_size=60))
def test_any_local_part_is_reversed_or_not_ours(local: str) -> None:
    for tag in ("SRS0=", "SRS1=", ""):
        OURS.reverse(Address(tag + local, "own.example"), NOW)
