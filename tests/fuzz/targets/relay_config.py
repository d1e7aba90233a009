"""`relay.v1.json`: refused with reasons that say where, or a configuration that is read again as it was written.

A configuration that was read compiles, or says why it cannot run.
"""

import tempfile
from pathlib import Path

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.names import CONFIG_FILE
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.reload.files import UnreadableError, read_config

LONGEST = 2500
WORDS = (
    *(
        b'{"contractVersion":1,"relay":{"namespace":"smtp","name":"relay"},"hostname":"relay.own.example",',
        b'"routes":[{',
    ),
    *(b'"listeners":[{"name":"smtp","port":2525}]', b'"upstreams":[{"name":"a","provider":"a","host":"a.example"}]'),
    *(
        b'"aliases":{"domains":["own.example"],"entries":[{',
        b'"type":"Wildcard","value":"a-*@own.example"',
        b'"canary"',
    ),
    *(
        b'"quotas":[{"period":"Month","limit":10,"timeZone":"Europe/Berlin"}]',
        b'"auth":{"mechanism":"Plain"}',
        b"1e999",
    ),
    *(
        b'"allowedNetworks":["10.0.0.0/8"]',
        b'"lineEndings":"Normalise"',
        b"null",
        b"[[[[",
        b"-1",
        b"true",
        b'"\\ud800"',
    ),
    *(b'"senders":{"domains":["own.example"]}', b'"srs":{"domain":"own.example"}', b'"priority":5', b'"weight":1'),
)


def check(data: bytes) -> None:
    """Read the octets as the file."""
    with tempfile.TemporaryDirectory(prefix="mailhaul-fuzz-") as folder:
        path = Path(folder) / CONFIG_FILE
        path.write_bytes(data)
        try:
            config = read_config(path).config
        except UnreadableError as error:
            _check_refusal(error)
            return
    assert RelayConfig.from_json(config.to_json()) == config
    running = compile_running(config, Secrets(), "sha256:fuzz")
    if isinstance(running, Running):
        assert running.size_limit >= 1024
    else:
        assert running
        assert all(running), "a reason without words"


def _check_refusal(error: UnreadableError) -> None:
    assert error.reasons
    assert error.digest.startswith("sha256:")
    for reason in error.reasons:
        path, colon, told = reason.partition(": ")
        assert CONFIG_FILE in reason or (path and colon), f"no path: {reason}"
        assert reason.startswith(CONFIG_FILE) or "; " in told, f"no remedy: {reason}"
