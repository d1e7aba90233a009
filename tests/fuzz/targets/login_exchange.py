"""AUTH PLAIN and LOGIN: bounded steps, a login only from what was typed, and never a word of it in what is told."""

import base64
import binascii

from mailhaul_contract.accounts import MAX_NAME, MAX_PASSWORD
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin.authentication import Challenge, Exchange, Login, Step

LONGEST = 1200
WORDS = (
    *(b"PLAIN ", b"LOGIN ", b"PLAIN =", b"LOGIN\n", b"PLAIN\n", b"AGFwcABzZWNyZXQ=", b"YXBw\n", b"c2VjcmV0\n", b"*\n"),
    *(b"====", b"\0", b"\xff"),
)
_STEPS = 3


def check(data: bytes) -> None:
    """Play an exchange, one line a step; then log in with the same octets as name and password."""
    first, *answers = data.split(b"\n")
    exchange = Exchange()
    step = exchange.begin(first.decode("utf-8", "replace"))
    typed = [first.partition(b" ")[2]]
    for count, answer in enumerate(answers, 1):
        if not isinstance(step, Challenge):
            break
        assert count <= _STEPS, "it asks for ever"
        assert step.line.endswith(b"\r\n")
        step = exchange.answer(answer)
        typed.append(answer)
    _check_step(step, typed)
    _check_logs_in(*data.partition(b"\0")[::2])


def _check_step(step: Step, typed: list[bytes]) -> None:
    if isinstance(step, Reply):
        assert step.code in {500, 501, 504}
        assert step.enhanced.startswith("5."), step
    elif isinstance(step, Login):
        assert len(step.password) <= MAX_PASSWORD
        assert len(step.name) <= 2 * MAX_NAME
        assert repr(step) == "Login()", "what was typed is shown"
        given = [_decoded(one) for one in typed if one]
        assert any(one.endswith(step.password) for one in [b"", *given]), "a password that nobody typed"


def _decoded(line: bytes) -> bytes:
    try:
        return b"" if line == b"=" else base64.b64decode(line, validate=True)
    except binascii.Error:
        return b""


def _check_logs_in(name: bytes, password: bytes) -> None:
    """What fits and has no NUL is a login by both mechanisms, as it was typed."""
    if b"\0" in password:
        return
    fits = len(name) <= 2 * MAX_NAME and len(password) <= MAX_PASSWORD
    plain = Exchange().begin("PLAIN " + base64.b64encode(b"\0" + name + b"\0" + password).decode())
    login = Exchange()
    login.begin("LOGIN")
    login.answer(base64.b64encode(name))
    for step in (plain, login.answer(base64.b64encode(password))):
        assert isinstance(step, Login) == fits, step
        if isinstance(step, Login):
            assert (step.name, step.password) == (name.decode("utf-8", "replace"), password)
