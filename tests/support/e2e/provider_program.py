"""A mail provider for tests, run in a pod of the relay's image: SMTP with TLS and AUTH when asked, and a door over HTTP
by which a test changes its behaviour and reads what it took.

Standard library and aiosmtpd only, and no import of ours: it is mounted as one file. `python provider_program.py [--tls
CERT KEY] [--auth USER PASSWORD]`; SMTP on 2525, HTTP on 8025. `GET /mails` gives what was taken; `POST /behaviour` with
JSON sets fields of `Behaviour`.
"""

import argparse
import asyncio
import json
import ssl
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from email import message_from_bytes
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthenticatorType, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Behaviour:
    """How the provider answers. Empty replies mean: as a good server. `delay` is in seconds before the last reply.
    `verified` is the only From domain that it takes, said after the final dot as SES does; empty means any.
    """

    password: str = ""
    mail: str = ""
    rcpt: str = ""
    end: str = ""
    greeting: str = ""
    verified: str = ""
    delay: float = 0


@dataclass
class State:
    """What is so now, and what came."""

    behaviour: Behaviour = Behaviour()
    mails: list[dict[str, Any]] = field(default_factory=list)
    logins: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


STATE = State()


class Provider:
    """aiosmtpd's hooks."""

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if STATE.behaviour.mail:
            return STATE.behaviour.mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if STATE.behaviour.rcpt:
            return STATE.behaviour.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        behaviour = STATE.behaviour
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.end:
            return behaviour.end
        content = envelope.original_content or b""
        message = message_from_bytes(content)
        author = parseaddr(str(message["from"]))[1]
        if behaviour.verified and not author.endswith(f"@{behaviour.verified}"):
            return f"554 Message rejected: Email address is not verified. The identities failed the check: {author}"
        mail = {
            "time": time.time(),
            "from": envelope.mail_from,
            "to": list(envelope.rcpt_tos),
            "subject": str(message["subject"]),
            "header_from": str(message["from"]),
            "message_id": str(message["message-id"]),
            "tls": bool(session.ssl),
            "user": getattr(session.auth_data, "login", b"").decode(),
            "raw": content.decode("utf-8", "replace")[:20000],
        }
        with STATE.lock:
            STATE.mails.append(mail)
        return "250 2.0.0 Ok: taken"


class Server(SMTP):
    """With a greeting that a test may spoil."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        secured = isinstance(transport, asyncio.Transport) and transport.get_extra_info("sslcontext") is not None
        if STATE.behaviour.greeting and not secured and isinstance(transport, asyncio.Transport):
            transport.write(STATE.behaviour.greeting.encode() + b"\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.session is not None:
            super().connection_lost(error)


class Gate(Controller):
    def factory(self) -> SMTP:
        return Server(self.handler, **self.SMTP_kwargs)


def authenticator(user: str, password: str) -> AuthenticatorType:
    """Takes one user name with the password of this moment."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        wanted = STATE.behaviour.password or password
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), wanted.encode())
        with STATE.lock:
            STATE.logins.append({"time": time.time(), "good": good})
        if good:
            return AuthResult(success=True, auth_data=data)
        return AuthResult(success=False, handled=False, message="535 5.7.8 Authentication credentials invalid")

    return check


class Door(BaseHTTPRequestHandler):
    """The test's side."""

    def do_GET(self) -> None:
        with STATE.lock:
            found: Any = {"/mails": STATE.mails, "/logins": STATE.logins}.get(self.path, asdict(STATE.behaviour))
            self._answer(json.dumps(found).encode())

    def do_POST(self) -> None:
        given = json.loads(self._body())
        STATE.behaviour = replace(Behaviour(), **given)
        self._answer(b"{}")

    def _body(self) -> bytes:
        """What was posted; the API server's proxy passes it on in chunks."""
        if self.headers["content-length"]:
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size + 2)[:size]
        return body

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the standard library
        pass


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--auth", nargs=2, metavar=("USER", "PASSWORD"))
    options = parser.parse_args()
    settings: dict[str, Any] = {
        "data_size_limit": 64 * 1024 * 1024,
        "enable_SMTPUTF8": True,
        "server_hostname": "provider",
    }
    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*options.tls)
        settings |= {"tls_context": context, "require_starttls": True}
    if options.auth:
        settings |= {
            "authenticator": authenticator(*options.auth),
            "auth_required": True,
            "auth_require_tls": bool(options.tls),
        }
    Gate(Provider(), hostname="0.0.0.0", port=2525, **settings).start()
    ThreadingHTTPServer(("0.0.0.0", 8025), Door).serve_forever()


if __name__ == "__main__":
    main()
