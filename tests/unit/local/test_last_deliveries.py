"""The last deliveries are read from the end of the relay's log, whatever stands in it."""

import json
from pathlib import Path

from mailhaul_operator.local.deliveries import KEPT, MOST, Delivered, LastDeliveries


def line(recipient: str, **more: str) -> str:
    told = {"time": "2026-11-21T12:48:20.237Z", "level": "info", "event": "delivered", "upstream": "inbox"}
    return json.dumps({**told, "recipient": recipient, **more}, separators=(",", ":")) + "\n"


def recipients(last: LastDeliveries) -> list[str]:
    return [one.recipient for one in last.look()]


def test_what_was_delivered_since_the_start_is_told_with_the_way_that_it_took(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    log.write_text(line("earlier@example.com"))
    last = LastDeliveries(log)
    assert last.look() == ()
    with log.open("a") as file:
        file.write(line("alice@example.net", original="sales@example.com") + line("b@example.net"))
    assert last.look() == (
        Delivered("12:48:20", "alice@example.net", "sales@example.com", "inbox"),
        Delivered("12:48:20", "b@example.net", "", "inbox"),
    )


def test_a_line_is_read_once_and_only_when_it_is_complete(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    last = LastDeliveries(log)
    whole = line("a@example.com")
    log.write_text(whole + whole[:40])
    assert recipients(last) == ["a@example.com"]
    log.write_text(whole + whole)
    assert recipients(last) == ["a@example.com"] * 2
    assert recipients(last) == ["a@example.com"] * 2


def test_the_newest_are_kept_and_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    last = LastDeliveries(log)
    log.write_text("".join(line(f"n{number}@example.com") for number in range(2000)))
    assert log.stat().st_size > MOST
    assert recipients(last) == [f"n{number}@example.com" for number in range(2000 - KEPT, 2000)]


def test_a_new_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    log.write_text(line("a@example.com") * 3)
    last = LastDeliveries(log)
    log.write_text(line("b@example.com"))
    assert recipients(last) == ["b@example.com"]


def test_what_is_no_delivery_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    last = LastDeliveries(log)
    log.write_bytes(b'Traceback "event":"delivered"\n{"event":"delivered"}\n["event":"delivered",1]\n\xff\n\n')
    assert last.look() == ()


def test_one_endless_line_is_not_read_again_and_again(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    last = LastDeliveries(log)
    log.write_text("x" * (3 * MOST))
    assert last.look() == ()
    with log.open("a") as file:
        file.write("\n" + line("a@example.com"))
    assert recipients(last) == ["a@example.com"]
