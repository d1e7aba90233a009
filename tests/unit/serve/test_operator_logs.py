"""Every line is JSON, and an exception tells its type and place, never its words: those may repeat a secret."""

import json
import logging

from mailhaul_operator.serve.logs import JsonLines

SECRET = "hunter2-canary"


def line(record: logging.LogRecord) -> dict[str, object]:
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("mailhaul", logging.ERROR, "", 0, message, arguments, None)
    made.__dict__.update(more)
    return made


def test_fields_stand_beside_the_words() -> None:
    found = line(record("a pass failed\n%s", 3, fields={"kind": "SmtpRelay", "name": "one"}))
    assert (found["event"], found["level"], found["kind"]) == ("a pass failed\n3", "error", "SmtpRelay")


def test_an_exceptions_words_are_left_out() -> None:
    try:
        raise ValueError(f"cannot parse {SECRET}")
    except ValueError as error:
        made = record("failed", exc_info=(ValueError, error, error.__traceback__))
    found = line(made)
    assert found["error"] == "ValueError"
    assert "test_an_exceptions_words_are_left_out" in str(found["at"])
    assert SECRET not in json.dumps(found)


def test_a_value_that_json_does_not_know_is_its_type() -> None:
    assert line(record("x", fields={"body": object()}))["body"] == "<object>"
