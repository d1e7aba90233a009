"""`mailhaul trace` tells a message's story in order, with the providers' words, and nothing that steers a terminal."""

from typing import Any

from mailhaul_operator.mail.trace import story_text

MESSAGE: dict[str, Any] = {
    "id": "m1",
    "state": "delivered",
    "sender": "app@own.example",
    "client": "10.0.0.9",
    "account": "shop",
    "helo": "app.example.com",
    "accepted": 1_700_000_000.0,
    "size": 700,
    "recipientCount": 1,
    "origin": "submission",
    "nextAttempt": 0.0,
    "recipients": [
        {"address": "ann@far.example", "original": "sales@own.example", "state": "delivered", "nextAttempt": 0.0,
         "fault": "", "text": ""},
    ],
    "attempts": [
        {"time": 1_700_000_003.0, "upstream": "main", "endpoint": "mx:587", "sender": "srs0@own.example",
         "fromDomain": "own.example", "outcomes": [
            {"address": "ann@far.example", "verdict": "retry", "stage": "rcpt", "fault": "transient",
             "reply": "451 4.7.1 lat\x1b[2Jer", "remedy": "wait"}]},
        {"time": 1_700_000_063.0, "upstream": "backup", "endpoint": "mx2:587", "sender": "srs0@own.example",
         "fromDomain": "own.example", "outcomes": [
            {"address": "ann@far.example", "verdict": "delivered", "stage": "end-of-data", "fault": "none",
             "reply": "250 2.0.0 taken", "remedy": ""}]},
    ],
    "orders": [{"time": 1_700_000_050.0, "verb": "move", "detail": "backup"}],
}  # fmt: skip


def test_the_whole_story_is_in_order() -> None:
    assert story_text(MESSAGE).splitlines() == [
        "m1: delivered",
        "2023-11-14 22:13:20 UTC  accepted from 10.0.0.9, HELO app.example.com, account shop, as submission",
        "    sender <app@own.example>, 1 recipient, 700 bytes",
        "2023-11-14 22:13:23 UTC  tried through main (mx:587)",
        "    left with sender <srs0@own.example>",
        "    From domain own.example",
        "    sales@own.example -> ann@far.example: retry at rcpt (transient): 451 4.7.1 lat?[2Jer",
        "      remedy: wait",
        "2023-11-14 22:14:10 UTC  moved (backup)",
        "2023-11-14 22:14:23 UTC  tried through backup (mx2:587)",
        "    left with sender <srs0@own.example>",
        "    From domain own.example",
        "    sales@own.example -> ann@far.example: delivered at end-of-data: 250 2.0.0 taken",
        "  sales@own.example: delivered",
    ]


def test_mail_on_hold_is_told_as_held_by_an_operator() -> None:
    one = {"address": "a@b.example", "original": "a@b.example", "state": "held", "nextAttempt": 0.0,
           "fault": "operator", "text": "535 no"}  # fmt: skip
    told = story_text({"id": "m1", "state": "held", "recipients": [one], "attempts": [], "orders": []})
    assert "  a@b.example: held by an operator: 535 no" in told


def test_a_copy_for_the_archive_is_named_though_nobody_asked_for_it() -> None:
    to = {
        "address": "all@archive.example",
        "original": "",
        "state": "delivered",
        "nextAttempt": 0.0,
        "fault": "",
        "text": "",
    }
    tried = {
        **MESSAGE["attempts"][1],
        "outcomes": [{**MESSAGE["attempts"][1]["outcomes"][0], "address": to["address"]}],
    }
    told = story_text({**MESSAGE, "recipients": [to], "attempts": [tried], "orders": []})
    assert "    all@archive.example (copy for an archive): delivered at end-of-data: 250" in told
    assert "\n  all@archive.example (copy for an archive): delivered\n" in told


def test_what_was_rewritten_is_part_of_the_story() -> None:
    orders = [{"time": 1_700_000_001.0, "verb": "rewrite", "detail": "From is app@own.example, was a@far.example"}]
    told = story_text({**MESSAGE, "fromDomain": "first.example", "orders": orders})
    assert "UTC  rewritten (From is app@own.example, was a@far.example)" in told
    assert "    From domain own.example, rewritten from first.example" in told
    assert "rewritten from" not in story_text({**MESSAGE, "fromDomain": "own.example"})
