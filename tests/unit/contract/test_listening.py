"""Listeners of the contract: rules that cannot be kept are refused, and what is not used is not written."""

from typing import Any

import pytest
from pydantic import ValidationError

from mailhaul_contract.listening import Listener

PLAIN: dict[str, Any] = {"name": "smtp", "port": 2525}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"auth": "Optional"}, "AUTH is offered under TLS only"),
        ({"auth": "Required"}, "AUTH is offered under TLS only"),
        ({"tlsRequired": True}, "TLS is required, but not offered"),
        ({"proxies": ["10.0.0.1/8"]}, "host bits"),
        ({"allowedNetworks": ["example.com"]}, "network"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Listener.from_json({**PLAIN, **rules})


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"tls": "StartTLS", "tlsRequired": True, "auth": "Required"},
        {"tls": "Implicit", "auth": "Optional", "allowedNetworks": []},
        {"proxies": ["10.0.0.1/32"], "allowedNetworks": ["10.0.0.0/8"]},
    ],
)
def test_what_is_not_used_is_not_written(rules: dict[str, Any]) -> None:
    given = {**PLAIN, **rules}
    assert Listener.from_json(given).to_json() == given
