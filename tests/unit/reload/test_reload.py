"""Configuration and secrets change under the relay as Kubernetes changes mounts: whole, in any order, sometimes bad."""

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailhaul_contract.digest import digest
from mailhaul_relay.model.secrets import Certificate, Credential, OAuthClient
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.reload import files
from mailhaul_relay.reload.watcher import Awaiting, Loaded, Refusal, Watcher, load

GOOD: dict[str, Any] = {
    "contractVersion": 1,
    "relay": {"namespace": "mail", "name": "relay"},
    "hostname": "relay.example.com",
    "listeners": [{"name": "smtp", "port": 2525}],
}


class Mounts:
    """A ConfigMap's and a Secret's mount, swapped by their symlink as the kubelet does it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._generation = 0
        self.config = directory / "config" / "relay.v1.json"
        self.secrets = directory / "secrets"

    def write_config(self, document: object) -> bytes:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self._swap(self.config.parent, {self.config.name: content})
        return content

    def write_secrets(self, **values: str) -> None:
        self._swap(self.secrets, {name.replace("_", "."): value.encode() for name, value in values.items()})

    def _swap(self, mount: Path, content: dict[str, bytes]) -> None:
        self._generation += 1
        version = mount / f"..{self._generation}"
        version.mkdir(parents=True)
        for name, data in content.items():
            (version / name).write_bytes(data)
            link = mount / name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / name)
        fresh = mount / "..data_tmp"
        fresh.symlink_to(version.name)
        os.replace(fresh, mount / "..data")


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    made = Mounts(tmp_path)
    made.write_config(GOOD)
    made.write_secrets(revision="r1", provider_mt_username="u", provider_mt_password="p", api_token="t")
    return made


def _load(mounts: Mounts) -> Loaded:
    return load(mounts.config, mounts.secrets, 0.0)


def test_the_digest_is_that_of_the_bytes_in_the_file(mounts: Mounts) -> None:
    content = mounts.write_config(json.dumps(GOOD, indent=3).encode())
    loaded = _load(mounts)
    assert isinstance(loaded, Running)
    assert loaded.digest == digest(content)


def test_secrets_are_read_by_their_names(mounts: Mounts) -> None:
    mounts.write_secrets(
        revision="r2", provider_mt_username="u2", provider_mt_password="p2\n", srs_secret="one\ntwo\n", api_token="t2"
    )
    read = files.read_secrets(mounts.secrets)
    assert (read.revision, read.api_token, read.srs) == ("r2", "t2", (b"one", b"two"))
    assert (read.credentials["mt"].username, read.credentials["mt"].password) == ("u2", "p2")


def test_a_provider_may_have_dots_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "provider.a.b.username").write_text("u")
    (tmp_path / "provider.a.b.password").write_text("p")
    assert set(files.read_secrets(tmp_path).credentials) == {"a.b"}


def test_the_previous_credential_is_read_beside_the_current_one(tmp_path: Path) -> None:
    for key, value in {"": "new", ".previous": "old"}.items():
        (tmp_path / f"provider.a.b{key}.username").write_text(f"{value}-user")
        (tmp_path / f"provider.a.b{key}.password").write_text(f"{value}-password\n")
    (tmp_path / "provider.a.b.previous.since").write_text("1790000000")
    read = files.read_secrets(tmp_path)
    assert read.credentials["a.b"] == Credential("new-user", "new-password")
    assert read.previous == {"a.b": Credential("old-user", "old-password")}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "contractVersion"),
        ({**GOOD, "contractVersion": 2}, "this relay reads 1"),
        ({**GOOD, "listners": []}, "unknown field `listners`"),
        ({**GOOD, "hostname": "not a host"}, "hostname"),
        ({**GOOD, "limits": {"recipients": "many"}}, "limits.recipients"),
        ({**GOOD, "listeners": [{"name": "smtp", "port": 25, "tls": "StartTLS"}]}, "tls.smtp.crt"),
    ],
)
def test_a_bad_configuration_is_refused_with_the_field_and_the_remedy(
    mounts: Mounts, document: object, words: str
) -> None:
    content = mounts.write_config(document)
    loaded = _load(mounts)
    assert isinstance(loaded, Refusal)
    assert words in "; ".join(loaded.reasons)
    assert loaded.digest == digest(content)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_file_nested_without_end_is_refused_like_any_other(mounts: Mounts, opening: bytes) -> None:
    content = mounts.write_config(opening * 100_000)
    loaded = _load(mounts)
    assert isinstance(loaded, Refusal)
    assert "is not JSON" in loaded.reasons[0]
    assert loaded.digest == digest(content)


def test_a_directory_that_cannot_be_read_is_not_one_without_secrets(
    mounts: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_descriptor(_: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "iterdir", no_descriptor)
    loaded = _load(mounts)
    assert isinstance(loaded, Refusal)
    assert "Too many open files" in loaded.reasons[0]


def test_a_missing_file_is_told_by_its_name(mounts: Mounts) -> None:
    mounts.config.unlink()
    loaded = _load(mounts)
    assert isinstance(loaded, Refusal)
    assert "relay.v1.json cannot be read" in loaded.reasons[0]


def test_a_configuration_waits_for_the_secrets_that_it_names(mounts: Mounts) -> None:
    mounts.write_config({**GOOD, "secretRevision": "r2"})
    assert _load(mounts) == Awaiting(digest(mounts.config.read_bytes()), "r2")
    mounts.write_secrets(revision="r2")
    assert isinstance(_load(mounts), Running)


def test_a_file_without_end_is_not_read_into_memory(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_CONFIG", 100)
    mounts.write_config(b" " * 101)
    loaded = _load(mounts)
    assert isinstance(loaded, Refusal)
    assert "larger than 100 bytes" in loaded.reasons[0]


async def test_a_swap_of_either_mount_is_seen_once(mounts: Mounts) -> None:
    seen: list[Loaded] = []

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        return True

    watcher = Watcher(mounts.config, mounts.secrets, apply, VirtualClock())
    for _ in range(3):
        await watcher.look()
    mounts.write_secrets(revision="r9")
    for _ in range(3):
        await watcher.look()
    mounts.write_config({**GOOD, "hostname": "other.example.com"})
    for _ in range(3):
        await watcher.look()
    revisions = [one.secrets.revision for one in seen if isinstance(one, Running)]
    assert revisions == ["r1", "r9", "r9"]


async def test_a_directory_without_symlinks_is_followed_too(tmp_path: Path) -> None:
    config, secrets = tmp_path / "relay.v1.json", tmp_path / "secrets"
    secrets.mkdir()
    config.write_text(json.dumps(GOOD))
    seen: list[Loaded] = []

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        return True

    watcher = Watcher(config, secrets, apply, VirtualClock())
    await watcher.look()
    (secrets / "revision").write_text("r5")
    await watcher.look()
    (secrets / "revision").write_text("r66")
    await watcher.look()
    assert [one.secrets.revision for one in seen if isinstance(one, Running)] == ["", "r5", "r66"]


def test_no_secret_shows_in_a_value_or_a_refusal(mounts: Mounts) -> None:
    mounts.write_secrets(revision="r1", provider_mt_username="canary-user", provider_mt_password="canary-pass")
    assert "canary" not in repr(files.read_secrets(mounts.secrets))
    assert "canary" not in repr(_load(mounts))


@pytest.mark.looptime
async def test_what_could_not_be_run_is_tried_again_without_an_edit_though_the_clock_was_set_back(
    mounts: Mounts,
) -> None:
    seen: list[Loaded] = []
    clock = VirtualClock()

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        return len(seen) > 2

    watcher = Watcher(mounts.config, mounts.secrets, apply, clock)
    for _ in range(30):
        await watcher.look()
        clock.advance(-3600)
        await asyncio.sleep(1)
    assert len(seen) == 3


@pytest.mark.looptime
async def test_an_error_of_ours_while_a_configuration_is_applied_does_not_lose_it(mounts: Mounts) -> None:
    seen: list[Loaded] = []

    async def apply(loaded: Loaded) -> bool:
        seen.append(loaded)
        if len(seen) == 1:
            raise KeyError("an error of ours")
        return True

    watcher = Watcher(mounts.config, mounts.secrets, apply, VirtualClock())
    with pytest.raises(KeyError):
        await watcher.look()
    for _ in range(30):
        await watcher.look()
        await asyncio.sleep(1)
    assert len(seen) == 2


def test_clients_of_token_servers_and_client_certificates_are_read_by_provider(tmp_path: Path) -> None:
    given = {
        "provider.ms.username": "user",
        "provider.ms.clientId": "id",
        "provider.ms.clientSecret": "secret",
        "provider.ms.previous.username": "user",
        "provider.ms.previous.clientId": "id",
        "provider.ms.previous.refreshToken": "old",
        "provider.ms.tls.crt": "chain\n",
        "provider.ms.tls.key": "key\n",
        "provider.half.tls.crt": "chain",
    }
    for name, value in given.items():
        (tmp_path / name).write_text(value)
    read = files.read_secrets(tmp_path)
    assert read.credentials["ms"] == Credential("user", client=OAuthClient("id", "secret"))
    assert read.previous == {"ms": Credential("user", client=OAuthClient("id", refresh_token="old"))}
    assert read.identities == {"ms": Certificate(b"chain\n", b"key\n"), "half": Certificate(b"chain", b"")}
    assert read.certificates == {}
    assert not any(value in repr(read) for value in ("secret'", "old'", "key\\n"))
