"""A configuration that cannot run is refused with its reasons; one that can is compiled."""

import pytest
from tests.unit.policy.builders import alias, aliases, config, running, upstream

from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import SIZE_HEADROOM, compile_running


def test_every_missing_secret_and_every_wrong_alias_is_a_reason() -> None:
    refused = compile_running(
        config(
            listeners=[{"name": "smtp", "port": 2525, "tls": "StartTLS"}],
            aliases=aliases(alias("sales@stranger.example", "x@far.example"), srs=True),
        ),
        Secrets(),
        "sha256:x",
    )
    assert isinstance(refused, tuple)
    assert [reason.partition(":")[0] for reason in refused] == ["listeners", "aliases.srs", "aliases"]
    assert "tls.smtp.crt" in refused[0]
    assert "srs.secret" in refused[1]
    assert "spec.aliases.domains" in refused[2]


def test_alias_pattern_that_does_not_fit_is_a_reason() -> None:
    refused = compile_running(
        config(aliases=aliases(alias("x@own.example", "y@z.example", type="CatchAll"))), Secrets(), ""
    )
    assert isinstance(refused, tuple)
    assert "shop/alias" in refused[0]


def test_absent_credential_refuses_nothing_since_other_upstreams_still_deliver() -> None:
    assert len(running(upstreams=[upstream("a", auth="Auto"), upstream("b")]).candidates) == 2


def test_upstreams_go_by_priority_then_name() -> None:
    relay = running(upstreams=[upstream("z", priority=1), upstream("b"), upstream("a")])
    assert [one.name for one in relay.candidates] == ["a", "b", "z"]
    assert relay.upstream("z") is relay.candidates[2]
    assert relay.upstream("none") is None


@pytest.mark.parametrize(
    ("sizes", "limit"),
    [
        ([], 26_214_400),
        ([0], 26_214_400),
        ([10_000_000], 10_000_000 - SIZE_HEADROOM),
        ([1_000_000, 10_000_000], 10_000_000 - SIZE_HEADROOM),
        ([1_000_000, 0], 26_214_400),
        ([100_000_000], 26_214_400),
        ([2000], 1024),
    ],
)
def test_size_is_the_largest_that_some_upstream_takes(sizes: list[int], limit: int) -> None:
    upstreams = [upstream(f"u{i}", behavior={"maxMessageSize": size}) for i, size in enumerate(sizes)]
    assert running(upstreams=upstreams).size_limit == limit


def test_inbound_uniqueness_is_what_all_upstreams_want() -> None:
    one = upstream("a", behavior={"uniqueHeaders": ["Subject", "To"]})
    two = upstream("b", behavior={"uniqueHeaders": ["Subject"]})
    relay = running(upstreams=[one, two])
    assert relay.inbound_unique == {b"from", b"subject"}
    assert {b"to", b"mime-version"} < relay.unique_headers
