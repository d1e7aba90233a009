"""Follows the mounted configuration and secrets, and hands each good pair to the relay within a second.

`app` starts it and gives it `apply`. Two mounts do not change together: a configuration names the revision of the
secrets that it needs and waits for it. Failures are values (`Refusal`, `Awaiting`): the last good configuration
runs on and the report says why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.reload.files import UnreadableError, fingerprint, read_config, read_secrets

INTERVAL = 0.25
"""Seconds between looks. A look costs a few `stat` calls; inotify does not follow the swapped link of a mount."""


RETRY = 5.0
"""Seconds until a configuration that could not be run is tried again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A configuration that cannot run. `digest` is that of its file, "" when there was none to read."""

    digest: str
    time: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A good configuration whose secrets are not mounted yet."""

    digest: str
    revision: str


Loaded = Running | Refusal | Awaiting
Apply = Callable[[Loaded], Awaitable[bool]]
"""Takes what was found; False when it could not be run now and the same may go later (a port that is taken)."""


def load(config: Path, secrets: Path, now: float) -> Loaded:
    """Read both mounts and compile them; every failure is a value."""
    try:
        file = read_config(config)
        known = read_secrets(secrets)
    except UnreadableError as error:
        return Refusal(error.digest, now, error.reasons)
    if file.config.secret_revision and file.config.secret_revision != known.revision:
        return Awaiting(file.digest, file.config.secret_revision)
    compiled = compile_running(file.config, known, file.digest)
    return compiled if isinstance(compiled, Running) else Refusal(file.digest, now, compiled)


class Watcher:
    """Looks every `INTERVAL`; applies what changed. `run` never ends by itself."""

    def __init__(self, config: Path, secrets: Path, apply: Apply, clock: Clock) -> None:
        self._config, self._secrets = config, secrets
        self._apply, self._clock = apply, clock
        self._seen: tuple[object, ...] | None = None
        self._again = float("inf")

    async def look(self) -> None:
        """Apply the mounts' content when it is not what was seen last, or when that could not be run."""
        seen = await asyncio.to_thread(fingerprint, self._config, self._secrets)
        if seen == self._seen and self._clock() < self._again:
            return
        self._seen = seen
        taken = await self._apply(await asyncio.to_thread(load, self._config, self._secrets, self._clock()))
        self._again = float("inf") if taken else self._clock() + RETRY

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()
