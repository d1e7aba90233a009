"""The table and the plain lines show relays, upstreams, aliases and the verdict with its remedy."""

import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.support.repository import REPOSITORY

from mailhaul_contract.report import AliasReport, BreakerState, RelayReport, ReplyReport, UpstreamReport
from mailhaul_operator.local.deliveries import Delivered
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.planning import preview
from mailhaul_operator.local.reports import Unreachable
from mailhaul_operator.local.screen import PlainLines
from mailhaul_operator.local.table import picture
from mailhaul_operator.local.verdict import judge
from mailhaul_operator.local.view import Bound, Phase, RelayView
from mailhaul_operator.local.watch import changed, fingerprint

NOW = 1_700_000_000.0


def view(report: RelayReport | Unreachable | None) -> RelayView:
    (plan,) = preview(load(Source((REPOSITORY / "examples" / "quickstart",))).resources).plans
    assert plan.config is not None
    return RelayView(
        namespace="smtp",
        name="smtp-relay",
        pid=7,
        phase=Phase.ACCEPTING,
        listeners=(Bound("smtp", "127.0.0.1", 2525),),
        http="http://127.0.0.1:9090",
        config=plan.config,
        report=report,
        verdict=judge(report, NOW) if isinstance(report, RelayReport) else None,
        deliveries=(Delivered("11:59:58", "alice@example.net", "sales@example.com", "inbox"),),
    )


REPORT = RelayReport(
    namespace="smtp",
    name="smtp-relay",
    pid=7,
    started=NOW,
    time=NOW,
    digest="sha256:1",
    accepting=True,
    last_delivery=NOW,
    upstreams=(
        UpstreamReport(
            name="provider",
            provider="provider",
            endpoint="127.0.0.1:2600",
            breaker=BreakerState.OPEN,
            breaker_fault="auth",
            last_reply=ReplyReport(
                time=NOW, code=535, text="no [bold]such\x1b[2J user", fault="auth", remedy="Mend the Secret"
            ),
        ),
        UpstreamReport(name="inbox", provider="inbox", delivered=41),
    ),
    aliases=(AliasReport(namespace="smtp", name="sales", forwarded=3),),
)


def drawn(shown: RelayView) -> str:
    console = Console(file=StringIO(), width=160, force_terminal=False)
    console.print(picture((shown,), ("12:00:00 it happened",)))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_the_picture_has_everything_that_matters() -> None:
    text = drawn(view(REPORT))
    for expected in (
        "smtp/smtp-relay  mail leaves, but not all is well",
        "remedy: Mend the Secret",
        "smtp 127.0.0.1:2525",
        "inbox http://127.0.0.1:9090/inbox",
        "41",
        "team+…@example.com",
        "11:59:58",
        "sales@example.com ⇒ alice@example.net",
        "alice@example.net, bob@example.org",
        "it happened",
    ):
        assert expected in text


def test_words_of_others_are_text_and_never_markup_or_escapes() -> None:
    text = drawn(view(REPORT))
    assert "no [bold]such" in text
    assert "\x1b" not in text


def test_a_relay_that_does_not_answer_is_shown_with_the_cause() -> None:
    assert "nobody answers" in drawn(view(Unreachable("nobody answers", "wait")))
    assert "accepting" in drawn(view(None))


def test_plain_lines_tell_a_verdict_once_and_again_when_it_changes() -> None:
    lines: list[str] = []
    screen = PlainLines(lines.append)
    screen.show((view(REPORT),))
    screen.show((view(REPORT),))
    assert [line[9:].split(":")[0] for line in lines] == ["smtp/smtp-relay", "smtp/smtp-relay"]
    assert "remedy: Mend the Secret" in lines[1]
    screen.show((view(REPORT.model_copy(update={"upstreams": REPORT.upstreams[1:]})),))
    assert lines[2][9:] == "smtp/smtp-relay: mail leaves\n"


def test_only_files_that_would_be_read_count_as_changes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    before = fingerprint([tmp_path])
    (tmp_path / ".mailhaul").mkdir()
    (tmp_path / ".mailhaul" / "up.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("x")
    assert fingerprint([tmp_path]) == before
    (tmp_path / "b.yml").write_text("b: 1")
    assert fingerprint([tmp_path]) != before


def test_a_file_that_is_not_there_is_no_failure_and_its_coming_is_a_change(tmp_path: Path) -> None:
    missing = tmp_path / "a.yaml"
    before = fingerprint([missing])
    missing.write_text("a: 1")
    assert fingerprint([missing]) != before


@pytest.mark.looptime
async def test_a_change_is_given_once_it_stands_still(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    known = fingerprint([file])
    file.write_text("a: 1")
    os.utime(file, (1, 1))
    assert await changed([file], known) == fingerprint([file]) != known
