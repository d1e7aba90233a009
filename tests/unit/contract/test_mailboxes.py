"""Address lists of headers: read as RFC 5322 says, refused rather than guessed at."""

import tomllib
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.mailboxes import MAX_MAILBOXES, MailboxError, parse_mailboxes, unfold

CASES = tomllib.loads((Path(__file__).parent / "cases" / "mailboxes.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(MailboxError, match=case["refused"]):
            parse_mailboxes(case["text"])
        return
    found = [f"{one.name}|{one.address}" for one in parse_mailboxes(case["text"])]
    assert sorted(found) == sorted(case["is"])


def test_unfolding_joins_continuation_lines_and_keeps_broken_utf8_apart() -> None:
    assert unfold(b" Ann\r\n Example\r\n\t<a@b>\r\n") == "Ann Example\t<a@b>"
    assert unfold(b" J\xfcrgen\r\n") == "J\udcfcrgen"


def test_number_of_mailboxes_is_bounded() -> None:
    assert len(parse_mailboxes(",".join(["a@b.example"] * MAX_MAILBOXES))) == MAX_MAILBOXES
    with pytest.raises(MailboxError, match="more than"):
        parse_mailboxes(",".join(["a@b.example"] * (MAX_MAILBOXES + 1)))


@pytest.mark.parametrize(
    "text", ['"' * 60_000, "(" * 60_000, "<" * 60_000, " " * 60_000 + "x", "a " * 30_000 + "<", "\\" * 60_000]
)
def test_time_is_linear_in_hostile_text(text: str) -> None:
    started = process_time()
    with pytest.raises(MailboxError):
        parse_mailboxes(text)
    assert process_time() - started < 1.0


@given(st.text(alphabet=st.sampled_from('ab@.<>,;:()"\\[] \t\r\n=?ü\x00'), max_size=60))
def test_any_text_is_a_list_or_its_own_error(text: str) -> None:
    with suppress(MailboxError):
        assert isinstance(parse_mailboxes(text), tuple)


@given(st.from_regex(r'\A("[a-z ,.]*"|[A-Za-z =?-]*) ?<?[a-z.]{1,5}@[a-z]{1,3}\.[a-z]{1,3}>?\Z'))
def test_the_quick_way_reads_what_the_grammar_reads(text: str) -> None:
    assert _outcome(text) == _outcome(f"{text} ()")


def _outcome(text: str) -> list[tuple[str, str]] | None:
    """An empty comment at the end keeps the quick way out, and changes nothing else."""
    try:
        return [(one.name, str(one.address)) for one in parse_mailboxes(text)]
    except MailboxError:
        return None
