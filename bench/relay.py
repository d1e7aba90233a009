"""Our relay as a target: the whole of it, as a cluster runs it. One process of `mailhaul relay serve` with STARTTLS
offered by a certificate made for the run, JSON log to a file, metrics and report on HTTP, and a durable spool.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.rounds import Target

READY_LIMIT = 20.0
STOP_LIMIT = 30.0


class RelayError(RuntimeError):
    """The relay did not start; the text holds the end of its log."""


class Relay:
    """A running relay; `stop` ends it by SIGTERM. `more` is added to its configuration, `fill` may put mail into its
    spool before it starts; `ready_after` is how long it took until it accepted mail, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        upstream: int,
        more: Mapping[str, Any] | None = None,
        fill: Callable[[Path], None] | None = None,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        secrets = folder / "secrets"
        secrets.mkdir(parents=True)
        _make_certificate(secrets)
        configuration = folder / "relay.v1.json"
        configuration.write_text(json.dumps(_configuration(port, upstream, more or {}), indent=1), encoding="utf-8")
        self._log = folder / "relay.log"
        ready = folder / "ready.json"
        words = ["--config", configuration, "--secrets", secrets, "--spool", folder / "spool", "--bind", "127.0.0.1"]
        words += ["--http-bind", "127.0.0.1:0", "--ready-file", ready]
        command = [sys.executable, "-m", "mailhaul_contract.console", "relay", "serve", *map(str, words)]
        if fill:
            fill(folder / "spool")
        begun = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until(ready)
        self.ready_after = time.monotonic() - begun
        self.target = Target("mailhaul", port, self._process.pid)

    def stop(self) -> None:
        """Stop it as a kubelet would, and insist after its grace time."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until(self, ready: Path) -> None:
        limit = time.monotonic() + READY_LIMIT
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                self._process.kill()
                self._process.wait()
                end = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RelayError(f"the relay accepted no mail within {READY_LIMIT:.0f} s; its log ends with:\n{end}")
            time.sleep(0.05)


def _configuration(port: int, upstream: int, more: Mapping[str, Any]) -> dict[str, Any]:
    """A RelayConfig of contract version 1. The upstream's concurrency is that of the load and of Postfix here. Lists of
    `more` go behind its own.
    """
    own: dict[str, Any] = {
        "contractVersion": 1,
        "relay": {"namespace": "bench", "name": "bench"},
        "hostname": "mailhaul.bench.example",
        "listeners": [{"name": "smtp", "port": port, "tls": "StartTLS"}],
        "clients": {"allowedNetworks": ["127.0.0.0/8"]},
        "upstreams": [
            {
                "name": "sink",
                "provider": "sink",
                "host": "127.0.0.1",
                "port": upstream,
                "tls": {"mode": "None"},
                "connections": {"max": 20, "messagesPerConnection": 100},
            }
        ],
        "limits": {"messageSize": 52_428_800, "connections": 1000, "connectionsPerClient": 1000},
    }
    lists = {name: [*own.get(name, []), *value] for name, value in more.items() if isinstance(value, list)}
    return {**own, **more, **lists}


def _make_certificate(secrets: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=mailhaul.bench.example",
    ]
    files = ["-keyout", str(secrets / "tls.smtp.key"), "-out", str(secrets / "tls.smtp.crt")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
