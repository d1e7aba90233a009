"""User names and passwords for a private Postfix: the server's side of Dovecot's authentication protocol, version 1.

Postfix's smtpd speaks it to the socket that `smtpd_sasl_path` names (`smtpd_sasl_type = dovecot`); so SMTP AUTH is
Postfix's own, and only the comparison of the password is ours. PLAIN (RFC 4616) and LOGIN. Each attempt is remembered.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

SETTINGS = (
    "smtpd_sasl_auth_enable = yes",
    "smtpd_sasl_type = dovecot",
    "smtpd_sasl_path = {folder}/accounts",
    "smtpd_relay_restrictions = permit_sasl_authenticated, reject",
    "smtpd_tls_auth_only = yes",
)
"""Lines of main.cf; clients without a login are refused."""


@dataclass
class Accounts:
    """Known names with their passwords, and the attempts so far as (mechanism, name, whether it was right)."""

    known: Mapping[str, str]
    attempts: list[tuple[str, str, bool]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one smtpd process until it closes."""
        mechanisms = "MECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
        writer.write(f"VERSION\t1\t0\n{mechanisms}SPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n".encode())
        names: dict[str, str | None] = {}
        try:
            while line := (await reader.readline()).decode().rstrip("\n"):
                words = line.split("\t")
                if words[0] in {"AUTH", "CONT"}:
                    writer.write(f"{self._answer(words, names)}\n".encode())
        finally:
            writer.close()

    def _answer(self, words: list[str], names: dict[str, str | None]) -> str:
        number = words[1]
        if words[0] == "AUTH" and words[2] == "PLAIN":
            response = next((word[5:] for word in words if word.startswith("resp=")), None)
            return f"CONT\t{number}\t" if response is None else self._plain(number, response)
        if words[0] == "AUTH":
            names[number] = None
            return f"CONT\t{number}\t{base64.b64encode(b'Username:').decode()}"
        if number not in names:
            return self._plain(number, words[2])
        text = base64.b64decode(words[2]).decode()
        known = names[number]
        if known is None:
            names[number] = text
            return f"CONT\t{number}\t{base64.b64encode(b'Password:').decode()}"
        return self._judge(number, "LOGIN", known, text)

    def _plain(self, number: str, response: str) -> str:
        try:
            _, name, password = base64.b64decode(response).decode().split("\0")
        except ValueError:
            return f"FAIL\t{number}"
        return self._judge(number, "PLAIN", name, password)

    def _judge(self, number: str, mechanism: str, name: str, password: str) -> str:
        right = self.known.get(name) == password
        self.attempts.append((mechanism, name, right))
        return f"{'OK' if right else 'FAIL'}\t{number}\tuser={name}"


@asynccontextmanager
async def accounts(folder: Path, known: Mapping[str, str]) -> AsyncIterator[Accounts]:
    """Serve accounts on the socket in a Postfix's folder."""
    kept = Accounts(known)
    server = await asyncio.start_unix_server(kept.serve, folder / "accounts")
    (folder / "accounts").chmod(0o666)
    try:
        yield kept
    finally:
        server.close()
