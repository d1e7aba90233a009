"""A refusal of the API server as a value: told in its words, but for those about a Secret."""

import pytest

from mailhaul_operator.effects import obstacles
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import MAX_MESSAGE, Refusal, Refused, refusal_of

CANARY = "canary-password"


@pytest.mark.parametrize(
    ("status", "kind", "passing"),
    [
        (401, Refusal.UNAUTHORIZED, True),
        (403, Refusal.FORBIDDEN, False),
        (404, Refusal.NOT_FOUND, False),
        (409, Refusal.CONFLICT, True),
        (410, Refusal.CONFLICT, True),
        (413, Refusal.TOO_LARGE, False),
        (422, Refusal.INVALID, False),
        (429, Refusal.UNAVAILABLE, True),
        (500, Refusal.UNAVAILABLE, True),
        (503, Refusal.UNAVAILABLE, True),
        (504, Refusal.TIMEOUT, True),
        (0, Refusal.UNAVAILABLE, True),
    ],
)
def test_each_status_has_one_meaning(status: int, kind: Refusal, passing: bool) -> None:
    refused = refusal_of(status, {"message": "words"}, secret=False)
    assert (refused.kind, refused.passing, refused.message) == (kind, passing, "words")


def test_a_name_that_is_there_already_is_no_conflict() -> None:
    assert refusal_of(409, {"reason": "AlreadyExists"}, secret=False).kind is Refusal.ALREADY_EXISTS


@pytest.mark.parametrize("status", [400, 422, 500])
def test_what_is_refused_of_a_secret_is_never_repeated(status: int) -> None:
    answer = {"message": f"invalid: {CANARY}", "details": {"causes": [{"field": "data[a]", "message": CANARY}]}}
    refused = refusal_of(status, answer, secret=True)
    assert CANARY not in refused.message
    assert "data[a]" in refused.message


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (f'admission webhook "no-weak.example" denied the request: {CANARY}', 'admission webhook "no-weak.example"'),
        (f"secrets \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {CANARY}", "'p'"),
        (f"no: {CANARY}", "the API server forbids the Secret"),
        (f"a is forbidden: {CANARY}", "the API server forbids the Secret"),
    ],
)
def test_what_a_policy_says_of_a_secret_is_not_repeated(message: str, told: str) -> None:
    refused = refusal_of(403, {"message": message}, secret=True)
    assert refused.kind is Refusal.FORBIDDEN
    assert CANARY not in refused.message
    assert told in refused.message


@pytest.mark.parametrize(
    "why",
    [
        'User "system:serviceaccount:a:b" cannot patch resource "secrets" in API group ""',
        "exceeded quota: few, used: 5",
    ],
)
def test_rights_and_quotas_that_a_secret_lacks_are_told(why: str) -> None:
    message = f'secrets "a" is forbidden: {why}'
    assert refusal_of(403, {"message": message}, secret=True).message == message


def test_words_of_a_webhook_are_bounded() -> None:
    assert len(refusal_of(403, {"message": "x" * 100_000}, secret=False).message) == MAX_MESSAGE


@pytest.mark.parametrize("kind", [Refusal.FORBIDDEN, Refusal.NOT_FOUND, Refusal.INVALID, Refusal.TOO_LARGE])
def test_every_obstacle_names_object_cause_and_remedy(kind: Refusal) -> None:
    body = {"kind": "Service", "metadata": {"namespace": "smtp", "name": "relay"}}
    told = obstacles.refused(body, Refused(kind, "the server's words"))
    assert told.object == "Service smtp/relay"
    assert "the server's words" in told.message
    assert told.remedy


def test_an_object_under_another_controller_cannot_be_adopted() -> None:
    owner = Owner("SmtpRelay", "smtp", "relay", "1")
    reference = {"kind": "HelmThing", "name": "other", "uid": "2", "controller": True}
    body = {"kind": "Service", "metadata": {"namespace": "smtp", "name": "relay", "ownerReferences": [reference]}}
    told = obstacles.name_taken(body, owner)
    assert "HelmThing other" in told.message
    assert "adopt" not in told.remedy
