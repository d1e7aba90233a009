"""`mailhaul queue`: finds its relay, says what it did, asks before it drops, and tells which option mends an error."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.support.http_exchange import serving
from tests.support.memory_spool import MemorySpool
from tests.support.queue_desk import journal_of
from tests.support.queued_mail import ACCEPTED, dead, held, message_id, queued
from tests.support.queueing import running, upstream

from mailhaul_operator.mail.queue import queue
from mailhaul_operator.mail.text import aligned, queue_table, safe, span
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.queue_routes import queue_routes
from mailhaul_relay.model.message import Body, Message, State
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.commands import QueueCommands
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token"


class FreeClaims:
    """An engine that works on nothing."""

    def claim(self, message_id: str) -> bool:
        return bool(message_id)

    def release(self, message_id: str) -> None:
        assert message_id

    def kick(self) -> None:
        return


class Relay:
    """A relay with queued mail, and the command run against it in a thread."""

    def __init__(self, port: int, spool: MemorySpool, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spool = spool
        self.token_file = directory / "token"
        self.token_file.write_text(TOKEN + "\n", encoding="utf-8")
        self.ready_file = directory / "ready.json"
        relays = [{"namespace": "mail", "name": "relay", "http": self.url, "tokenFile": str(self.token_file)}]
        self.ready_file.write_text(json.dumps({"relays": relays}), encoding="utf-8")

    def fill(self, *messages: Message) -> None:
        self.spool.messages = {one.id: one for one in messages}

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(queue, [*arguments, "--url", self.url, "--token-file", str(self.token_file)])


@pytest.fixture
async def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    monkeypatch.chdir(tmp_path)
    for name in ("MAILHAUL_URL", "MAILHAUL_TOKEN", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    spool = MemorySpool()
    configured, clock = running(upstreams=[upstream("primary"), upstream("backup", 10)]), VirtualClock(ACCEPTED)
    journal = journal_of(spool, Tally(), [], lambda: configured, clock)
    commands = QueueCommands(spool, FreeClaims(), lambda: configured, journal, clock)
    async with serving(queue_routes(commands, clock, Guard(lambda: TOKEN, Tally()))) as server:
        yield Relay(server.port, spool, tmp_path)


Output = Callable[[], str]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    return lambda: capsys.readouterr().out


@pytest.fixture
def errors(capsys: pytest.CaptureFixture[str]) -> Output:
    return lambda: capsys.readouterr().err


async def test_list_shows_what_waits_and_why(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, held()), queued(1, to=("one@example.net",)))
    assert await relay.run("list") == 0
    heading, first, second = output().splitlines()
    assert heading.split()[:3] == ["ID", "STATE", "AGE"]
    assert first.startswith(message_id(0))
    assert "535 5.7.8 authentication failed" in first
    assert "queued" in second


async def test_list_as_json_is_the_whole_list(relay: Relay, output: Output) -> None:
    relay.fill(*(queued(number) for number in range(1200)))
    assert await relay.run("list", "-o", "json", "--limit", "1100") == 0
    listing = json.loads(output())
    assert [one["id"] for one in listing["messages"]] == [message_id(number) for number in range(1100)]
    assert listing["complete"] is False


async def test_list_says_when_it_stops_early(relay: Relay, output: Output) -> None:
    relay.fill(*(queued(number) for number in range(5)))
    await relay.run("list", "--limit", "2")
    assert "--limit shows more" in output()


async def test_list_of_nothing_says_so(relay: Relay, output: Output) -> None:
    assert await relay.run("list", "--state", "dead") == 0
    assert "no such mail" in output()


async def test_show_gives_fates_and_head(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, held(), dead(text="\x1b[2Jevil"), head=b"Subject: \x1b]0;x\x07hello\r\n\r\n"))
    assert await relay.run("show", message_id(0)) == 0
    text = output()
    assert "r0@example.net: held, 2 attempts" in text
    assert "hello" in text
    assert "\x1b" not in text


async def test_retry_of_one_makes_it_due(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, dead()))
    assert await relay.run("retry", message_id(0), "--upstream", "backup") == 0
    assert "1 message is due now" in output()
    fate = relay.spool.messages[message_id(0)].progress[0]
    assert (fate.state, fate.pinned) == (State.QUEUED, "backup")


async def test_many_are_counted_before_they_are_retried(relay: Relay, output: Output) -> None:
    relay.fill(*(queued(number, dead()) for number in range(600)), queued(700, held()))
    assert await relay.run("retry", "--state", "dead") == 0
    assert output().splitlines()[:2] == ["600 messages are selected.", "600 messages are due now."]
    states = {one.progress[0].state for one in relay.spool.messages.values()}
    assert states == {State.QUEUED, State.HELD}


async def test_many_are_dropped_only_with_yes(relay: Relay, errors: Output) -> None:
    relay.fill(queued(0, dead()), queued(1, dead()), queued(2, held()))
    assert await relay.run("drop", "--state", "dead") == 1
    assert "would drop 2 messages" in errors()
    assert len(relay.spool.messages) == 3
    assert await relay.run("drop", "--state", "dead", "--yes") == 0
    assert list(relay.spool.messages) == [message_id(2)]


async def test_many_take_parts_of_addresses(relay: Relay) -> None:
    relay.fill(queued(0, dead(), to=("a@wrong.example",)), queued(1, dead()))
    assert await relay.run("drop", "--state", "dead", "--recipient", "@wrong.example", "--yes") == 0
    assert list(relay.spool.messages) == [message_id(1)]


async def test_what_is_done_can_be_read_by_programs(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, dead()))
    assert await relay.run("retry", "--state", "dead", "-o", "json") == 0
    assert json.loads(output()) == {"done": 1, "skipped": 0}


async def test_a_message_that_is_gone_is_exit_code_1(relay: Relay, errors: Output) -> None:
    assert await relay.run("drop", message_id(0)) == 1
    assert "delivered or dropped" in errors()


async def test_an_id_is_only_ever_one_segment_of_a_path(relay: Relay, errors: Output) -> None:
    relay.fill(queued(0))
    assert await relay.run("drop", f"../queue/{message_id(0)}") == 1
    assert "nothing at this path" in errors()
    assert relay.spool.messages


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["polish"],
        ["show"],
        ["retry"],
        ["drop", "ID", "--state", "dead"],
        ["hold"],
        ["bounce", "--yes"],
        ["move", "ID"],
        ["list", "--older", "yesterday"],
        ["export"],
        ["list", "--state", "lost"],
        ["list", "--limit", "0"],
        ["list", "-o", "yaml"],
        ["list", "--token", TOKEN],
    ],
)
def test_wrong_arguments_are_exit_code_2(arguments: list[str], errors: Output) -> None:
    assert queue(arguments) == 2
    assert errors()


def test_help_is_exit_code_0(output: Output) -> None:
    assert queue(["--help"]) == 0
    assert "retry" in output()


async def test_the_ready_file_names_address_and_token(relay: Relay) -> None:
    assert await asyncio.to_thread(queue, ["list", "--ready-file", str(relay.ready_file)]) == 0
    assert await asyncio.to_thread(queue, ["list", "--ready-file", str(relay.ready_file), "--relay", "mail/relay"]) == 0


async def test_a_relay_must_be_chosen_among_several(relay: Relay, errors: Output) -> None:
    relays = [{"namespace": "a", "name": "x", "http": relay.url}, {"namespace": "b", "name": "x", "http": relay.url}]
    relay.ready_file.write_text(json.dumps({"relays": relays}), encoding="utf-8")
    for chosen in ([], ["--relay", "x"], ["--relay", "none"]):
        assert await asyncio.to_thread(queue, ["list", "--ready-file", str(relay.ready_file), *chosen]) == 1
        assert "a/x, b/x" in errors()


async def test_environment_names_address_and_token(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_URL", relay.url)
    monkeypatch.setenv("MAILHAUL_TOKEN", TOKEN)
    assert await asyncio.to_thread(queue, ["list"]) == 0


async def test_a_missing_or_wrong_token_names_its_option(relay: Relay, errors: Output) -> None:
    assert await asyncio.to_thread(queue, ["list", "--url", relay.url]) == 1
    assert "no token was given; give the file with its api.token with --token-file" in errors()
    relay.token_file.write_text("canary-wrong", encoding="utf-8")
    assert await relay.run("list") == 1
    told = errors()
    assert "the token is wrong" in told
    assert "canary" not in told


async def test_a_relay_that_is_not_there_names_its_option(free_port: int, errors: Output) -> None:
    assert await asyncio.to_thread(queue, ["list", "--url", f"http://127.0.0.1:{free_port}"]) == 1
    assert "nothing listens there" in (told := errors())
    assert "--url" in told


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9090", "ftp://a", "http://", "http://a:b@c", "http://a:99999", "http://a/b", "http://[::1"]
)
def test_a_wrong_address_names_its_option(url: str, errors: Output) -> None:
    assert queue(["list", "--url", url]) == 1
    assert "--url" in errors()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"relays": []}', '{"relays": 1}', "\x00"])
def test_a_file_that_is_no_ready_file_is_told(tmp_path: Path, content: str, errors: Output) -> None:
    file = tmp_path / "ready.json"
    file.write_text(content, encoding="utf-8")
    assert queue(["list", "--ready-file", str(file)]) == 1
    assert "--ready-file" in errors()


def test_a_token_with_line_breaks_inside_is_refused(tmp_path: Path, errors: Output) -> None:
    file = tmp_path / "token"
    file.write_text("canary\r\nX-Evil: 1", encoding="utf-8")
    assert queue(["list", "--url", "http://127.0.0.1:1", "--token-file", str(file)]) == 1
    assert "canary" not in errors()


def test_words_of_others_cannot_move_the_cursor() -> None:
    assert safe("a\x1b[2J\r\n\u202eb\x9b") == "a?[2J???b?"
    row = {"id": "i", "state": "held", "accepted": 0, "due": 0, "attempts": 1, "size": 2048, "sender": "",
           "recipients": ["a\x1b@b"], "recipientCount": 3, "upstream": "u", "text": "no\nway"}  # fmt: skip
    table = queue_table([row], now=90)
    assert "a?@b +2" in table
    assert "u: no?way" in table
    assert len(table.splitlines()) == 2


def test_a_tab_of_a_folded_header_is_a_space() -> None:
    assert safe("Received: a\r\n\tby b", lines=True) == "Received: a\n by b"


def test_an_upstream_is_named_once_in_what_it_said_last() -> None:
    row = {"id": "i", "state": "deferred", "accepted": 0, "due": 0, "attempts": 1, "size": 1, "sender": "",
           "recipients": ["a@b"], "recipientCount": 1, "upstream": "one", "text": "one: connection"}  # fmt: skip
    assert queue_table([row], now=1).rstrip().endswith("  one: connection")


def test_columns_are_aligned_and_durations_short() -> None:
    assert aligned([("a", "b"), ("long", "c")]) == "a     b\nlong  c\n"
    assert [span(seconds) for seconds in (-1, 59, 60, 7200, 200_000)] == ["0s", "59s", "1m", "2h", "2d"]


async def test_held_mail_is_shown_as_held_by_an_operator_until_it_is_released(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, held()), queued(1))
    assert await relay.run("hold", message_id(0), message_id(1)) == 0
    assert output() == "2 messages are on hold.\n"
    assert await relay.run("list") == 0
    assert "held by an operator; last: primary: 535" in output()
    assert await relay.run("show", message_id(0)) == 0
    assert "State     held, held by an operator" in output()
    assert await relay.run("release", "--fault", "operator") == 0
    assert "2 messages are released." in output()


async def test_filters_narrow_a_list_and_an_order(relay: Relay, output: Output) -> None:
    relay.fill(queued(0, held(), to=("a@one.example",)), queued(1, held(fault="quota"), to=("b@two.example",)))
    for chosen in (["--domain", "one.example"], ["--fault", "auth"], ["--recipient", "a@"]):
        assert await relay.run("list", "-o", "json", *chosen) == 0
        assert [one["id"] for one in json.loads(output())["messages"]] == [message_id(0)]
    assert await relay.run("list", "-o", "json", "--upstream", "primary", "--newer", "1h") == 0
    assert len(json.loads(output())["messages"]) == 2
    assert await relay.run("list", "--older", "1h") == 0
    assert "no such mail" in output()
    assert await relay.run("move", "--to", "backup", "--through", "primary", "--domain", "two.example") == 0
    assert "1 message is moved" in output()
    assert relay.spool.messages[message_id(1)].progress[0].pinned == "backup"
    assert relay.spool.messages[message_id(0)].progress[0].pinned == ""


@pytest.mark.parametrize("verb", ["retry", "hold", "release", "bounce", "drop"])
async def test_a_dry_run_changes_nothing(relay: Relay, verb: str, output: Output) -> None:
    relay.fill(queued(0, held()))
    assert await relay.run(verb, "--state", "held", "--dry-run", "-o", "json") == 0
    assert json.loads(output()) == {"done": 0 if verb == "release" else 1, "skipped": 0, "dryRun": True}
    assert await relay.run(verb, message_id(0), "--dry-run") == (1 if verb == "release" else 0)
    assert relay.spool.messages[message_id(0)].progress == (held(),)


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 2), ("", 1, 2)])
async def test_a_person_at_a_terminal_is_asked(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    relay.fill(queued(0, dead()), queued(1, dead()))
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert await relay.run("drop", "--state", "dead") == code
    assert len(relay.spool.messages) == left


async def test_some_ids_that_are_gone_keep_no_other_from_being_done(relay: Relay, errors: Output) -> None:
    relay.fill(queued(0, held()))
    assert await relay.run("bounce", message_id(9), message_id(0)) == 1
    assert f"{message_id(9)}: there is no such message" in errors()
    assert relay.spool.messages[message_id(0)].progress[0].state is State.DEAD


async def test_an_export_is_the_message_as_a_recipient_would_get_it(
    relay: Relay, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    stuffed = queued(0, head=b"Subject: x\r\n\r\n")
    relay.fill(Message(stuffed.envelope, stuffed.head, Body(9, b"..a\r\n..\r\n"), stuffed.progress))
    assert await relay.run("export", message_id(0)) == 0
    assert capfdbinary.readouterr().out == b"Subject: x\r\n\r\n.a\r\n.\r\n"
    assert await relay.run("export", message_id(0), str(tmp_path / "x.eml")) == 0
    assert (tmp_path / "x.eml").read_bytes() == b"Subject: x\r\n\r\n.a\r\n.\r\n"
    assert await relay.run("export", message_id(5)) == 1
