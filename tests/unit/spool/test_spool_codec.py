"""Records are strict when read: what is not exactly a record of this version is unreadable, nothing else happens."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.spool.making import message

from mailhaul_relay.model.message import Envelope, Origin, Progress, Recipient, State
from mailhaul_relay.spool.codec import (
    Unreadable,
    decode_envelope,
    decode_progress,
    encode_envelope,
    encode_progress,
    mask,
)

_texts = st.text(max_size=20)
_times = st.floats(allow_nan=False, allow_infinity=False)
_numbers = st.integers(0, 1 << 40)
_progress = st.builds(
    Progress,
    st.sampled_from(State),
    _times,
    _numbers,
    _numbers,
    _texts,
    _texts,
    _texts,
    _texts,
    _numbers,
    _texts,
    _times,
    _times,
)
_envelopes = st.builds(
    Envelope,
    id=st.just("a"),
    sender=_texts,
    recipients=st.lists(st.builds(Recipient, _texts, _texts, _texts), min_size=1, max_size=3).map(tuple),
    from_domain=_texts,
    origin=st.sampled_from(Origin),
    accepted=_times,
    size=_numbers,
    client=_texts,
    eight_bit=st.booleans(),
    utf8=st.booleans(),
    account=_texts,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=20,
)


@given(_envelopes)
def test_an_envelope_is_read_as_it_was_written(envelope: Envelope) -> None:
    assert decode_envelope("a", encode_envelope(envelope)) == envelope


@given(st.lists(_progress, min_size=1, max_size=3))
def test_progress_is_read_as_it_was_written(progress: list[Progress]) -> None:
    assert decode_progress(encode_progress(tuple(progress)), len(progress)) == tuple(progress)


@given(_json.map(json.dumps) | st.text(max_size=40) | st.just("[" * 5000))
def test_a_damaged_record_is_unreadable_and_nothing_else(text: str) -> None:
    with pytest.raises(Unreadable):
        decode_envelope("a", text)
    with pytest.raises(Unreadable):
        decode_progress(text, 1)


@pytest.mark.parametrize("position", range(10))
@pytest.mark.parametrize("wrong", [None, {}, [[]], -1.5j, "\ud800?", 99])
def test_every_field_of_an_envelope_has_its_type(position: int, wrong: object) -> None:
    record = json.loads(encode_envelope(message("a").envelope))
    if type(record[position]) is type(wrong) and position > 0:
        wrong = None
    record[position] = str(wrong) if isinstance(wrong, complex) else wrong
    if type(record[position]) is str and position in {1, 3, 7}:
        return
    with pytest.raises(Unreadable):
        decode_envelope("a", json.dumps(record))


@pytest.mark.parametrize("version", [0, 2, "1", True, None, 1.0])
def test_another_version_is_unreadable(version: object) -> None:
    record = json.loads(encode_progress((Progress(),)))
    with pytest.raises(Unreadable, match="version"):
        decode_progress(json.dumps([version, *record[1:]]), 1)


def test_progress_must_fit_the_recipients() -> None:
    with pytest.raises(Unreadable, match="2 recipients, the envelope has 1"):
        decode_progress(encode_progress((Progress(), Progress())), 1)


@pytest.mark.parametrize("due", [float("inf"), float("nan")])
def test_a_number_that_is_not_finite_is_never_written(due: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_progress((replace(Progress(State.HELD), due=due),))


def test_a_number_that_is_not_finite_is_unreadable() -> None:
    envelope = '[1,"",[["c@d.example","c@d.example",""]],"","submission",%s,10,"",false,true]'
    progress = '[1,["deferred",%s,2,0,"","","","",450,"",1.0,0.0]]'
    decode_envelope("a", envelope % "1e9")
    decode_progress(progress % "1e9", 1)
    with pytest.raises(Unreadable, match="finite"):
        decode_envelope("a", envelope % "1e999")
    with pytest.raises(Unreadable, match="finite"):
        decode_progress(progress % "-1e999", 1)


def test_the_mask_has_a_bit_for_each_state() -> None:
    assert mask((Progress(State.HELD), Progress(State.DEAD), Progress(State.HELD))) == 4 | 8


def test_no_field_of_a_record_is_forgotten() -> None:
    progress = encode_progress((Progress(State.HELD),))
    assert len(json.loads(progress)[1]) == len(fields(Progress))
    envelope = replace(message("a").envelope, account="shop")
    assert len(json.loads(encode_envelope(envelope))) == len(fields(Envelope))


def test_a_record_without_an_account_is_that_of_a_relay_that_knew_none() -> None:
    record = json.loads(encode_envelope(message("a").envelope))
    assert len(record) == len(fields(Envelope)) - 1
    assert decode_envelope("a", json.dumps(record)).account == ""
    for further in (7, None, ["shop"]):
        with pytest.raises(Unreadable):
            decode_envelope("a", json.dumps([*record, further]))
    with pytest.raises(Unreadable):
        decode_envelope("a", json.dumps([*record, "shop", "more"]))
