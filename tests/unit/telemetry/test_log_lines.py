"""Log lines: one event, one line, bounded, harmless to look at, and without secrets or, when asked, addresses."""

import json
import re
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.model.secrets import Certificate, Credential, Secrets
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.telemetry.log import MAX_LINE, Log

CANARY = "canary-9f3b"


def _line(redact: bool = False, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    lines: list[str] = []
    log = Log(lines.append, VirtualClock(1_790_000_000.25))
    log.redact = redact
    log.event("tested", **fields)
    (line,) = lines
    assert line.endswith("\n")
    assert len(line) <= MAX_LINE
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_has_time_level_and_event_first() -> None:
    assert list(_line(id="01h").items()) == [
        ("time", "2026-09-21T14:13:20.250Z"),
        ("level", "info"),
        ("event", "tested"),
        ("id", "01h"),
    ]


def test_the_time_is_right_within_and_after_a_second() -> None:
    lines: list[str] = []
    clock = VirtualClock(59.0)
    log = Log(lines.append, clock)
    for step in (0.0, 0.999, 0.001):
        clock.advance(step)
        log.event("tick")
    assert [json.loads(line)["time"][14:] for line in lines] == ["00:59.000Z", "00:59.999Z", "01:00.000Z"]


def test_nothing_is_written_of_a_field_without_a_value() -> None:
    assert "upstream" not in _line(upstream=None)


@given(st.text(max_size=300))
def test_words_of_others_stay_in_one_line_that_a_terminal_only_shows(text: str) -> None:
    lines: list[str] = []
    Log(lines.append).event("tested", text=text)
    (line,) = lines
    assert line.count("\n") == 1
    assert re.fullmatch(r"[\x20-\x7f]*\n", line)
    assert json.loads(line)["text"] == text


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "x" * 100_000},
        {"recipients": [f"user{n}@example.net" for n in range(10_000)]},
        {"text": "\x00" * 3000, "more": "y" * 3000},
        {f"field{n}": "z" * 200 for n in range(500)},
        {"nested": {str(n): "v" * 100 for n in range(1000)}},
        {"long\u00e9" * 2000: 1},
    ],
)
def test_a_line_is_bounded_and_says_that_it_was_cut(fields: dict[str, Any]) -> None:
    line = _line(**fields)
    assert line["truncated"] is True
    assert line["event"] == "tested"


def test_a_cut_line_keeps_its_id() -> None:
    assert _line(id="01habc", text="x" * 50_000)["id"] == "01habc"


@pytest.mark.parametrize(
    "value",
    [
        Credential("user", CANARY),
        Secrets(credentials={"p": Credential("u", CANARY)}, srs=(CANARY.encode(),), api_token=CANARY),
        Certificate(b"", CANARY.encode()),
        CANARY.encode(),
        bytearray(CANARY.encode()),
        RuntimeError(CANARY),
        [Credential("user", CANARY)],
        {"credential": Credential("user", CANARY)},
        (OSError(CANARY),),
    ],
)
def test_an_object_is_never_written_as_its_text(value: object) -> None:
    lines: list[str] = []
    Log(lines.append).event("tested", value=value)
    assert CANARY not in lines[0]


def test_addresses_and_replies_are_written_as_their_text() -> None:
    line = _line(recipient=Address("a", "example.net"), reply=Reply(250, "2.0.0", "ok"), domains=frozenset({"b", "a"}))
    assert (line["recipient"], line["reply"], line["domains"]) == ("a@example.net", "250 2.0.0 ok", ["a", "b"])


@pytest.mark.parametrize("key", ["sender", "recipient", "original", "final", "from", "to"])
def test_redaction_leaves_only_domains(key: str) -> None:
    assert _line(redact=True, **{key: f"{CANARY}@example.net"})[key] == "***@example.net"
    assert _line(redact=True, **{key: Address(CANARY, "example.net")})[key] == "***@example.net"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("550 5.1.1 <{0}@example.net>: no such user", "550 5.1.1 <***@example.net>: no such user"),
        ("452 {0}@a.example,x.{0}@b.example over quota", "452 ***@a.example,***@b.example over quota"),
        ('550 "a {0}"@example.net unknown', "550 ***@example.net unknown"),
        ("550 5.7.1 no address here", "550 5.7.1 no address here"),
    ],
)
def test_redaction_finds_addresses_in_the_words_of_others(told: str, shown: str) -> None:
    line = _line(redact=True, reply=told.format(CANARY), reasons=[told.format(CANARY)])
    assert line["reply"] == shown
    assert line["reasons"] == [shown]


def test_redaction_covers_lists_and_leaves_the_null_sender() -> None:
    line = _line(redact=True, recipients=[f"{CANARY}@a.example", f"{CANARY}@b.example"], sender="")
    assert line["recipients"] == ["***@a.example", "***@b.example"]
    assert line["sender"] == ""


def test_an_event_is_cheap() -> None:
    # 5 us measured; the bound leaves room for a busy machine and fails on anything of another order.
    log = Log(lambda _: None)
    fields: dict[str, Any] = {
        "id": "01habcdefghjkmnp",
        "upstream": "primary",
        "recipient": "a@example.net",
        "seconds": 0.0123,
    }
    best = min(timeit.repeat(lambda: log.event("delivered", **fields), number=500, repeat=5)) / 500
    assert best < 50e-6
