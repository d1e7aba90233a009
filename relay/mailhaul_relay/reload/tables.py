"""Alias tables: the entries that did not fit into `relay.v1.json`, read from the files beside it.

`watcher` asks for the tables that a configuration names by their SHA-256. Mounts do not change together, so a file that
is not there or has other bytes is awaited (`MissingError`); the right bytes that are no list of `Alias` are refused
(`UnreadableError`). A table that is in use is not parsed again: 50 000 aliases take about a second.
"""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mailhaul_contract import names
from mailhaul_contract.digest import digest
from mailhaul_contract.forwarding import Alias
from mailhaul_contract.refusals import refusals
from mailhaul_relay.reload.files import UnreadableError, identity, read_bounded

MAX_TABLE = 4 * 1024 * 1024
"""Octets of one table; a ConfigMap holds 1 MiB."""
MAX_REASONS = 20

Table = tuple[Alias, ...]
_TABLE: TypeAdapter[Table] = TypeAdapter(Table)


class MissingError(Exception):
    """Tables that are not mounted yet; `files` says of each what is there in its place."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__("; ".join(files))
        self.files = files


class AliasTables:
    """Reads tables, and keeps those of the last configuration by their digest."""

    def __init__(self) -> None:
        self._known: dict[str, Table] = {}

    def read(self, directory: Path, digests: tuple[str, ...]) -> Table:
        """Give the entries of all tables in order. Raises MissingError, and UnreadableError with every reason."""
        contents: dict[str, bytes] = {}
        missing = []
        for name, wanted in zip(names.ALIAS_TABLE_FILES, digests, strict=False):
            if wanted in self._known:
                continue
            content = _content(directory / name, wanted)
            if isinstance(content, str):
                missing.append(content)
            else:
                contents[name] = content
        if missing:
            raise MissingError(tuple(missing))
        parsed = {digest(content): _parsed(name, content) for name, content in contents.items()}
        self._known = {one: parsed.get(one) or self._known.get(one, ()) for one in digests}
        return tuple(alias for one in digests for alias in self._known[one])


def fingerprint(directory: Path) -> tuple[object, ...]:
    """Give a value that changes when a table does."""
    return tuple(identity(directory / name) for name in names.ALIAS_TABLE_FILES)


def _content(path: Path, wanted: str) -> bytes | str:
    """The bytes with this digest, or what is there in their place."""
    try:
        content = read_bounded(path, MAX_TABLE)
    except UnreadableError as error:
        return error.reasons[0]
    return content if digest(content) == wanted else f"{path.name} is another one"


def _parsed(name: str, content: bytes) -> Table:
    try:
        return _TABLE.validate_json(content, by_alias=True, by_name=False)
    except ValidationError as error:
        reasons = tuple(f"{name}: {one}" for one in refusals(error)[:MAX_REASONS])
        raise UnreadableError(reasons) from None
