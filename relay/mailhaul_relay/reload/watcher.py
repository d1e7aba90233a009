"""Follows the mounted configuration and secrets, and hands each good pair to the relay within a second.

`app` starts it and gives it `apply`. Mounts do not change together: a configuration names the revision of the secrets
and the digests of the alias tables that it needs, and waits for them. Failures are values (`Refusal`, `Awaiting`): the
last good configuration runs on and the report says why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mailhaul_contract.config import RelayConfig
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.reload import tables
from mailhaul_relay.reload.files import ConfigFile, UnreadableError, fingerprint, read_config, read_secrets
from mailhaul_relay.reload.tables import AliasTables, MissingError

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
    """A good configuration of which something is not mounted yet: the secrets of a revision ("" when they are there),
    or alias tables (of each, what is there in its place).
    """

    digest: str
    revision: str = ""
    tables: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """What is awaited, for people."""
        secrets = f"the secrets of revision {self.revision} are not mounted yet" if self.revision else ""
        aliases = f"alias tables are not mounted yet: {', '.join(self.tables)}" if self.tables else ""
        return "; ".join(filter(None, (secrets, aliases)))


Loaded = Running | Refusal | Awaiting
Apply = Callable[[Loaded], Awaitable[bool]]
"""Takes what was found; False when it could not be run now and the same may go later (a port that is taken)."""


def load(config: Path, secrets: Path, now: float, tables: AliasTables | None = None) -> Loaded:
    """Read the mounts and compile them; every failure is a value. `tables` remembers what it has parsed."""
    try:
        file = read_config(config)
        known = read_secrets(secrets)
    except UnreadableError as error:
        return Refusal(error.digest, now, error.reasons)
    wanted = file.config.secret_revision
    revision = wanted if wanted != known.revision else ""
    try:
        whole = _with_tables(file, config.parent, tables or AliasTables())
    except UnreadableError as error:
        return Refusal(file.digest, now, error.reasons)
    except MissingError as error:
        return Awaiting(file.digest, revision, error.files)
    if revision:
        return Awaiting(file.digest, revision)
    compiled = compile_running(whole, known, file.digest)
    return compiled if isinstance(compiled, Running) else Refusal(file.digest, now, compiled)


def _with_tables(file: ConfigFile, directory: Path, tables: AliasTables) -> RelayConfig:
    """Give the configuration with every alias in its `entries`."""
    aliases = file.config.aliases
    further = tables.read(directory, aliases.tables)
    if not further:
        return file.config
    entries = (*aliases.entries, *further)
    return file.config.model_copy(update={"aliases": aliases.model_copy(update={"entries": entries})})


class Watcher:
    """Looks every `INTERVAL`; applies what changed. `run` never ends by itself."""

    def __init__(self, config: Path, secrets: Path, apply: Apply, clock: Clock) -> None:
        self._config, self._secrets = config, secrets
        self._apply, self._clock = apply, clock
        self._tables = AliasTables()
        self._seen: tuple[object, ...] | None = None
        self._again = float("inf")
        """When the loop's clock says that the same is tried again."""

    async def look(self) -> None:
        """Apply the mounts' content when it is not what was seen last, or when that could not be run. What meets an
        error of ours, which is raised, is tried again like what could not be run.
        """
        now = asyncio.get_running_loop().time
        seen = await asyncio.to_thread(self._fingerprint)
        if seen == self._seen and now() < self._again:
            return
        self._seen, taken = seen, False
        try:
            loaded = await asyncio.to_thread(load, self._config, self._secrets, self._clock(), self._tables)
            taken = await self._apply(loaded)
        finally:
            self._again = float("inf") if taken else now() + RETRY

    def _fingerprint(self) -> tuple[object, ...]:
        return (fingerprint(self._config, self._secrets), tables.fingerprint(self._config.parent))

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()
