"""Alias tables beside the configuration: awaited by their digest, refused when they are no list of aliases."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mailhaul_contract.addresses import Address
from mailhaul_contract.digest import digest
from mailhaul_contract.names import ALIAS_TABLE_FILES
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.reload import tables
from mailhaul_relay.reload.tables import AliasTables
from mailhaul_relay.reload.watcher import Awaiting, Loaded, Refusal, Watcher, load

GOOD: dict[str, Any] = {
    "contractVersion": 1,
    "relay": {"namespace": "mail", "name": "relay"},
    "hostname": "relay.example.com",
    "listeners": [{"name": "smtp", "port": 2525}],
}


def _alias(local: str, to: str = "alice@example.net") -> dict[str, Any]:
    return {"namespace": "shop", "name": local, "value": f"{local}@example.com", "destinations": [to]}


def _table(*locals_: str) -> bytes:
    return json.dumps([_alias(one) for one in locals_]).encode()


class Folder:
    """A projected volume: everything in it changes at once, by the swap of its symlink."""

    def __init__(self, directory: Path) -> None:
        self.mount, self.secrets = directory / "config", directory / "secrets"
        self.config = self.mount / "relay.v1.json"
        self.secrets.mkdir()
        self._generation = 0

    def write(self, config: dict[str, Any], *contents: bytes) -> str:
        """Swap in a configuration and tables; gives the configuration's digest."""
        self._generation += 1
        version = self.mount / f"..{self._generation}"
        version.mkdir(parents=True)
        text = json.dumps(config).encode()
        for name, data in {"relay.v1.json": text, **dict(zip(ALIAS_TABLE_FILES, contents, strict=False))}.items():
            (version / name).write_bytes(data)
            if not (self.mount / name).is_symlink():
                (self.mount / name).symlink_to(Path("..data") / name)
        (self.mount / "..data_tmp").symlink_to(version.name)
        os.replace(self.mount / "..data_tmp", self.mount / "..data")
        return digest(text)

    def load(self) -> Loaded:
        return load(self.config, self.secrets, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _naming(*contents: bytes, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of `aliases`
    aliases = {"domains": ["example.com"], "tables": [digest(one) for one in contents], **changes}
    return {**GOOD, "aliases": aliases}


def _resolves(loaded: Loaded, local: str) -> bool:
    assert isinstance(loaded, Running)
    return bool(loaded.aliases.resolve(Address.parse(f"{local}@example.com")))


def test_entries_of_all_tables_come_after_those_of_the_file_and_the_digest_is_the_files(folder: Folder) -> None:
    first, second = _table("b", "c"), _table("d")
    known = folder.write(_naming(first, second, entries=[_alias("a")]), first, second)
    loaded = folder.load()
    assert isinstance(loaded, Running)
    assert [one.name for one in loaded.config.aliases.entries] == ["a", "b", "c", "d"]
    assert loaded.digest == known
    assert _resolves(loaded, "d")


def test_a_configuration_waits_for_a_table_that_is_not_there(folder: Folder) -> None:
    table = _table("a")
    known = folder.write(_naming(table))
    awaiting = folder.load()
    assert isinstance(awaiting, Awaiting)
    assert (awaiting.digest, awaiting.revision) == (known, "")
    assert "aliases.v1.0.json cannot be read" in awaiting.reason
    folder.write(_naming(table), table)
    assert _resolves(folder.load(), "a")


def test_a_table_that_comes_first_waits_for_its_configuration(folder: Folder) -> None:
    old, new = _table("old"), _table("new")
    folder.write(_naming(old), new)
    awaiting = folder.load()
    assert isinstance(awaiting, Awaiting)
    assert awaiting.tables == ("aliases.v1.0.json is another one",)
    folder.write(_naming(new), new)
    assert _resolves(folder.load(), "new")


def test_secrets_and_tables_are_awaited_together(folder: Folder) -> None:
    folder.write({**_naming(_table("a")), "secretRevision": "r2"})
    awaiting = folder.load()
    assert isinstance(awaiting, Awaiting)
    assert "the secrets of revision r2" in awaiting.reason
    assert "aliases.v1.0.json" in awaiting.reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "JSON"),
        (b"\xff", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"a": 1}', "aliases.v1.0.json: document"),
        (b'[{"namespace": "shop"}]', "aliases.v1.0.json: [0].name"),
        (json.dumps([_alias("a") | {"frum": 1}]).encode(), "unknown field `frum`"),
        (json.dumps([_alias("a") | {"type": "CatchAll"}]).encode(), "must be `*@domain`"),
        (json.dumps([_alias("a") | {"value": "a@elsewhere.example"}]).encode(), "elsewhere.example is not an own"),
    ],
)
def test_a_table_with_the_right_digest_and_wrong_content_is_refused(folder: Folder, content: bytes, words: str) -> None:
    known = folder.write(_naming(content), content)
    refused = folder.load()
    assert isinstance(refused, Refusal)
    assert words in "; ".join(refused.reasons)
    assert refused.digest == known


def test_the_reasons_of_a_table_are_bounded(folder: Folder) -> None:
    content = json.dumps([{}] * 5000).encode()
    folder.write(_naming(content), content)
    refused = folder.load()
    assert isinstance(refused, Refusal)
    assert len(refused.reasons) == tables.MAX_REASONS


def test_a_table_without_end_is_not_read_into_memory(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_TABLE", 10)
    table = _table("a")
    folder.write(_naming(table), table)
    awaiting = folder.load()
    assert isinstance(awaiting, Awaiting)
    assert "larger than 10 bytes" in awaiting.reason


async def test_each_swap_is_followed_and_a_half_written_one_changes_nothing(folder: Folder) -> None:
    seen: list[Loaded] = []

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        return True

    watcher = Watcher(folder.config, folder.secrets, apply, VirtualClock())
    one, two = _table("one"), _table("two")
    for config, table in ((one, one), (two, one), (two, two)):
        folder.write(_naming(config), table)
        for _ in range(2):
            await watcher.look()
    assert [type(loaded) for loaded in seen] == [Running, Awaiting, Running]
    assert _resolves(seen[2], "two")
    assert not _resolves(seen[2], "one")


async def test_a_table_that_appears_where_no_symlink_is_swapped_is_seen_too(tmp_path: Path) -> None:
    seen: list[Loaded] = []

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        return True

    table = _table("a")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "relay.v1.json").write_text(json.dumps(_naming(table)))
    watcher = Watcher(tmp_path / "relay.v1.json", tmp_path / "secrets", apply, VirtualClock())
    await watcher.look()
    (tmp_path / ALIAS_TABLE_FILES[0]).write_bytes(table)
    await watcher.look()
    assert [type(loaded) for loaded in seen] == [Awaiting, Running]


def test_a_table_in_use_is_neither_parsed_again_nor_lost_when_its_file_changes(tmp_path: Path) -> None:
    """Tables change before their configuration: what runs goes on, also over a change of something else."""
    known, table = AliasTables(), _table("a")
    file = tmp_path / ALIAS_TABLE_FILES[0]
    file.write_bytes(table)
    first = known.read(tmp_path, (digest(table),))
    file.write_bytes(b"[]")
    assert known.read(tmp_path, (digest(table),))[0] is first[0]
    assert known.read(tmp_path, ()) == ()
    with pytest.raises(tables.MissingError):
        known.read(tmp_path, (digest(table),))


def test_fifty_thousand_aliases_are_read_in_seconds(folder: Folder) -> None:
    """0.4 s and 36 MiB on the machine where it was written; the bound only excludes what grows with the square."""
    names = [f"team-{number}" for number in range(50_000)]
    contents = [_table(*names[start::8]) for start in range(8)]
    folder.write(_naming(*contents), *contents)
    began = time.monotonic()
    assert _resolves(folder.load(), "team-49999")
    assert time.monotonic() - began < 10
