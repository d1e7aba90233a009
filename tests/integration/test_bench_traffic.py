"""The bench's own programs tell the truth: what arrived once, what twice, what was changed on the way."""

import smtplib
from collections.abc import Iterator

import pytest
from bench.cases import parse_case
from bench.traffic import Load, Sink, Traffic, build
from tests.support.programs import need

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    need("gcc")
    return build(tmp_path_factory.mktemp("bin"))


@pytest.fixture
def sink(traffic: Traffic) -> Iterator[Sink]:
    with Sink(traffic.sink, 0) as running:
        yield running


@pytest.mark.parametrize("case", ["4k:5:conn:40", "4k:5:reuse:40", "4k:5:pipe:40", "1m:3:reuse:9", "4k:5:rate200:40"])
def test_all_that_the_load_sends_arrives_once_and_whole(traffic: Traffic, sink: Sink, case: str) -> None:
    parsed = parse_case(case)
    sink.begin("run")
    sent = Load(traffic.load, sink.port, "run", parsed).result()
    report = sink.report()
    assert (sent["accepted"], sent["failed"], sent["error"]) == (parsed.count, 0, "")
    assert (report["unique"], report["duplicates"], report["strangers"], report["damaged"]) == (parsed.count, 0, 0, 0)


def _send(sink: Sink, mark: str, body: str) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        client.sendmail("a@b.example", ["c@d.example"], f"X-Mailhaul-Bench: {mark}\r\nSubject: x\r\n\r\n{body}")


def test_the_sink_counts_duplicates_strangers_and_damage(sink: Sink) -> None:
    sink.begin("run")
    _send(sink, "run 0 1 5", "abc\r\n")
    _send(sink, "run 0 1 5", "abc\r\n")
    _send(sink, "run 1 1 6", "abc\r\n")
    _send(sink, "other 2 1 5", "abc\r\n")
    report = sink.report()
    assert (report["unique"], report["duplicates"], report["strangers"], report["damaged"]) == (2, 1, 1, 1)


def test_a_final_dot_cut_between_reads_ends_the_message(sink: Sink) -> None:
    sink.begin("run")
    client = smtplib.SMTP("127.0.0.1", sink.port, timeout=5)
    client.ehlo()
    client.mail("a@b.example")
    client.rcpt("c@d.example")
    assert client.docmd("DATA")[0] == 354
    assert client.sock is not None
    for octet in b"X-Mailhaul-Bench: run 0 1 3\r\n\r\na\r\n.\r\n":
        client.sock.sendall(bytes([octet]))
    assert client.getreply()[0] == 250
    client.quit()
    assert sink.report()["unique"] == 1


def test_refused_mail_is_a_failure_of_the_load_with_the_words_of_the_server(traffic: Traffic, free_port: int) -> None:
    refused = Load(traffic.load, free_port, "run", parse_case("4k:1:conn:3")).result()
    assert (refused["accepted"], refused["failed"]) == (0, 3)
    assert "refused" in refused["error"]
