"""Reads what Kubernetes mounts: the configuration file and the directory of secrets, as values.

Called by `watcher` in a thread. A mount is a symlink `..data` that is swapped as a whole, so each side is read from
one resolved directory and never from two versions of it. Failures: `UnreadableError`, with the file and the remedy; the
content of a secret is never in it.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mailhaul_contract import names
from mailhaul_contract.accounts import Password, parse_accounts
from mailhaul_contract.config import CONTRACT_VERSION, RelayConfig
from mailhaul_contract.digest import digest
from mailhaul_contract.refusals import refusals
from mailhaul_relay.model.secrets import Certificate, Credential, OAuthClient, Secrets

MAX_CONFIG = 16 * 1024 * 1024
MAX_SECRET = 1024 * 1024
_Key = Callable[[str], str]
_PartKey = Callable[[str, str], str]


class UnreadableError(Exception):
    """A file is missing, too large or not what it should be. `reasons` are for the report, `digest` may be ""."""

    def __init__(self, reasons: tuple[str, ...], file_digest: str = "") -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.digest = file_digest


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration and the digest of the bytes it was read from."""

    config: RelayConfig
    digest: str


def read_config(path: Path) -> ConfigFile:
    """Read and check `relay.v1.json`. Raises UnreadableError with every reason."""
    content = read_bounded(path, MAX_CONFIG)
    file_digest = digest(content)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise UnreadableError((f"{path.name} is not JSON; write it with `mailhaul render`",), file_digest) from None
    version = data.get("contractVersion") if isinstance(data, dict) else None
    if version != CONTRACT_VERSION:
        reason = f"{path.name} has contractVersion {version!r:.20}; this relay reads {CONTRACT_VERSION}"
        raise UnreadableError((reason,), file_digest)
    try:
        return ConfigFile(RelayConfig.from_json(data), file_digest)
    except ValidationError as error:
        raise UnreadableError(tuple(str(one) for one in refusals(error)), file_digest) from None


def read_secrets(directory: Path) -> Secrets:
    """Read the assembled Secret as it is mounted: one file a key (names in `mailhaul_contract.names`)."""
    files = _secret_files(directory)
    text = {name: content.decode("utf-8", "replace").strip("\r\n") for name, content in files.items()}
    return Secrets(
        revision=text.get(names.SECRET_REVISION, ""),
        credentials=_credentials(text, "", names.secret_credential),
        previous=_credentials(text, ".previous", names.secret_previous_credential),
        certificates=_certificates(files, "tls.", names.secret_certificate, names.secret_private_key),
        identities=_certificates(files, "provider.", names.secret_client_certificate, names.secret_client_key),
        accounts=_accounts(files.get(names.SECRET_ACCOUNTS, b"")),
        srs=tuple(line.encode() for line in text.get(names.SECRET_SRS, "").splitlines() if line),
        api_token=text.get(names.SECRET_API_TOKEN, ""),
    )


def fingerprint(config: Path, secrets: Path) -> tuple[object, ...]:
    """Give a value that changes when either mount changes: the links' targets, and the files' identity and times."""
    return (identity(config), identity(secrets / "..data"), identity(secrets), *map(identity, _entries(secrets)))


def identity(path: Path) -> tuple[object, ...]:
    """Give a value that changes when a file does: where its link leads, the file itself, its time and size."""
    try:
        status = path.stat()
        return (os.path.realpath(path), status.st_ino, status.st_mtime_ns, status.st_size)
    except OSError:
        return ()


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(one for one in directory.iterdir() if not one.name.startswith("."))
    except OSError:
        return []


def _secret_files(directory: Path) -> dict[str, bytes]:
    data = directory / "..data"
    source = Path(os.path.realpath(data)) if data.exists() else directory
    if not source.is_dir():
        raise UnreadableError(
            (f"the secrets directory {directory.name} does not exist; mount it or correct --secrets",)
        )
    try:
        files = [one for one in source.iterdir() if not one.name.startswith(".") and one.is_file()]
    except OSError as error:  # no descriptor left, or the mount was swapped just now: not "there are no secrets"
        raise UnreadableError((f"the secrets directory cannot be read: {error.strerror}",)) from None
    return {one.name: read_bounded(one, MAX_SECRET) for one in sorted(files)}


def read_bounded(path: Path, limit: int) -> bytes:
    """Give a file's bytes. Raises UnreadableError when it is not there or longer than `limit`."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError((f"{path.name} cannot be read: {error.strerror}",)) from None
    if len(content) > limit:
        raise UnreadableError((f"{path.name} is larger than {limit} bytes",))
    return content


def _pairs(keys: list[str], prefix: str, first: str) -> list[str]:
    """Names that stand between a prefix and the suffix of a pair's first key."""
    return [key[len(prefix) : -len(first)] for key in keys if key.startswith(prefix) and key.endswith(first)]


def _credentials(text: dict[str, str], kind: str, key: _PartKey) -> dict[str, Credential]:
    """Credentials by provider, the current ones or those before (`kind` is the part of the key that tells them apart).

    Among the current ones there is then one of a provider `p.previous`, which no configuration names.
    """
    providers = _pairs(list(text), "provider.", f"{kind}.username")
    return {one: _credential([text.get(key(one, part), "") for part in names.CREDENTIAL_PARTS]) for one in providers}


def _credential(parts: list[str]) -> Credential:
    username, password, client_id, client_secret, refresh_token = parts
    client = OAuthClient(client_id, client_secret, refresh_token) if client_id else None
    return Credential(username, password, client)


def _certificates(files: dict[str, bytes], prefix: str, chain: _Key, key: _Key) -> dict[str, Certificate]:
    """Certificates by listener or provider. A chain without its key is one that cannot be used, and is told as such."""
    suffix = chain("").removeprefix(prefix)
    owners = _pairs(list(files), prefix, suffix)
    return {one: Certificate(files[chain(one)], files.get(key(one), b"")) for one in owners}


def _accounts(content: bytes) -> Mapping[str, Password]:
    """SMTP accounts; the operator gives only lines that can be used, so another one is a mistake made by hand."""
    accounts = parse_accounts(content)
    if accounts.faults:
        told = (f"{names.SECRET_ACCOUNTS}, line {one.line}: {one.reason}; {one.remedy}" for one in accounts.faults[:20])
        raise UnreadableError(tuple(told))
    return accounts.passwords
