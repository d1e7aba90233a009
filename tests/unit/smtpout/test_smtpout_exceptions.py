"""Every exception of a conversation becomes an outcome in one place: unknown after the final dot, else temporary."""

import asyncio
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.smtpout.breakdown import MAX_DETAIL, UnusableError, classify_exception
from mailhaul_relay.smtpout.content import BodyError
from mailhaul_relay.smtpout.wire import GarbageError, LostError


def refused_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


BEFORE_THE_DOT = [stage for stage in Stage if stage not in {Stage.END_OF_DATA, Stage.RELAY}]
ERRORS: list[tuple[Exception, Fault]] = [
    (ConnectionRefusedError(111, "Connection refused"), Fault.CONNECTION),
    (ConnectionResetError(104, "Connection reset by peer"), Fault.CONNECTION),
    (BrokenPipeError(32, "Broken pipe"), Fault.CONNECTION),
    (OSError(101, "Network is unreachable"), Fault.CONNECTION),
    (OSError("Multiple exceptions: one, another"), Fault.CONNECTION),
    (socket.gaierror(-2, "Name or service not known"), Fault.CONNECTION),
    (TimeoutError(), Fault.CONNECTION),
    (TimeoutError("no answer within 3 s"), Fault.CONNECTION),
    (GarbageError("a line does not begin with a reply code"), Fault.PROTOCOL),
    (ssl.SSLError(1, "wrong version number"), Fault.TLS),
    (UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"), Fault.TRANSIENT),
    (RuntimeError("something nobody thought of"), Fault.TRANSIENT),
    (asyncio.InvalidStateError(), Fault.TRANSIENT),
]


@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
@pytest.mark.parametrize(("error", "fault"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_before_the_dot_everything_is_tried_again(error: Exception, fault: Fault, stage: Stage) -> None:
    outcome = classify_exception(stage, error)
    assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, fault, stage)
    assert outcome.detail
    assert outcome.remedy


@pytest.mark.parametrize(("error", "fault"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_after_the_dot_everything_is_unknown(error: Exception, fault: Fault) -> None:
    assert classify_exception(Stage.END_OF_DATA, error).verdict is Verdict.UNKNOWN


def test_a_refused_certificate_is_held_with_the_reason() -> None:
    outcome = classify_exception(Stage.TLS, refused_certificate())
    assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
    assert "certificate has expired" in outcome.detail


def test_a_connection_lost_in_the_handshake_is_a_tls_fault() -> None:
    assert classify_exception(Stage.TLS, LostError("closed")).fault is Fault.TLS


def test_a_body_that_cannot_be_read_is_the_relays_own_trouble_at_every_stage() -> None:
    for stage in Stage:
        outcome = classify_exception(stage, BodyError("gone"))
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.TRANSIENT, Stage.RELAY)


def test_an_outcome_that_was_raised_is_given_as_it_is() -> None:
    outcome = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH)
    assert classify_exception(Stage.AUTH, UnusableError(outcome)) is outcome


@given(st.text(max_size=1000), st.sampled_from(list(Stage)))
def test_details_are_bounded(text: str, stage: Stage) -> None:
    assert len(classify_exception(stage, LostError(text)).detail) <= MAX_DETAIL
