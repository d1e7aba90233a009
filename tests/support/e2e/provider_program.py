"""A mail provider for tests, run in a pod of the relay's image: SMTP with TLS and AUTH when asked, and a door over HTTP
by which a test changes its behaviour and reads what it took.

Standard library and aiosmtpd only, and no import of ours: it is mounted as one file. `python provider_program.py [--tls
CERT KEY [--clients CA]] [--auth USER PASSWORD] [--tokens USER CLIENT SECRET]`; SMTP on 2525, HTTP on 8025. With
`--clients` everybody must show a certificate of that authority; with `--tokens` XOAUTH2 is taken with tokens that a
token server on 8443 gives for the client's secret. `GET /mails` gives what was taken; `POST /behaviour` with JSON sets
fields of `Behaviour`.
"""

import argparse
import asyncio
import base64
import json
import secrets
import ssl
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from email import message_from_bytes
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthenticatorType, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Behaviour:
    """How the provider answers. Empty replies mean: as a good server. `delay` is in seconds before the last reply.
    `secret` is the client's secret that the token server takes, in place of the one that it was started with.
    `verified` is the only From domain that it takes, said after the final dot as SES does; empty means any.
    """

    password: str = ""
    secret: str = ""
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
    tokens: list[str] = field(default_factory=list)
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
            "certificate": _common_name(session),
            "raw": content.decode("utf-8", "replace")[:20000],
        }
        with STATE.lock:
            STATE.mails.append(mail)
        return "250 2.0.0 Ok: taken"


def _common_name(session: Session) -> str:
    """Of the certificate that the client showed."""
    shown = (session.ssl or {}).get("peercert") or {}
    return str(dict(pair[0] for pair in shown.get("subject", ())).get("commonName", ""))


class TokenProvider(Provider):
    """One that takes XOAUTH2 besides."""

    def __init__(self, user: str) -> None:
        self.user = user

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        said = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        if not isinstance(said, bytes):
            return AuthResult(success=False)
        user, _, bearer = said.rstrip(b"\x01").partition(b"\x01auth=Bearer ")
        login = user.removeprefix(b"user=")
        with STATE.lock:
            good = login == self.user.encode() and bearer.decode() in STATE.tokens
            STATE.logins.append({"time": time.time(), "good": good})
        if good:
            return AuthResult(success=True, auth_data=LoginPassword(login, b""))
        await server.challenge_auth('{"status":"401","schemes":"bearer"}')
        return AuthResult(success=False, handled=False, message="535 5.7.8 Authentication credentials invalid")


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


class TokenDoor(BaseHTTPRequestHandler):
    """The token server (RFC 6749 section 4.4)."""

    client, secret = "", ""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        wanted = [[self.client], [STATE.behaviour.secret or self.secret]]
        if [form.get("client_id"), form.get("client_secret")] != wanted:
            self._say(401, {"error": "invalid_client", "error_description": "Invalid client secret provided."})
            return
        token = secrets.token_urlsafe(400)
        with STATE.lock:
            STATE.tokens.append(token)
        self._say(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _say(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the standard library
        pass


def serve_tokens(pair: list[str], client: str, secret: str) -> None:
    """Give tokens on 8443, in a thread that nobody waits for."""
    TokenDoor.client, TokenDoor.secret = client, secret
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    server = ThreadingHTTPServer(("0.0.0.0", 8443), TokenDoor)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--clients", metavar="CA")
    parser.add_argument("--auth", nargs=2, metavar=("USER", "PASSWORD"))
    parser.add_argument("--tokens", nargs=3, metavar=("USER", "CLIENT", "SECRET"))
    options = parser.parse_args()
    settings: dict[str, Any] = {
        "data_size_limit": 64 * 1024 * 1024,
        "enable_SMTPUTF8": True,
        "server_hostname": "provider",
    }
    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*options.tls)
        if options.clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(options.clients)
        settings |= {"tls_context": context, "require_starttls": True}
    if options.auth:
        settings |= {
            "authenticator": authenticator(*options.auth),
            "auth_required": True,
            "auth_require_tls": bool(options.tls),
        }
    handler = Provider()
    if options.tokens:
        user, client, secret = options.tokens
        handler = TokenProvider(user)
        settings |= {"auth_required": True, "auth_exclude_mechanism": ["PLAIN", "LOGIN"]}
        serve_tokens(options.tls, client, secret)
    Gate(handler, hostname="0.0.0.0", port=2525, **settings).start()
    ThreadingHTTPServer(("0.0.0.0", 8025), Door).serve_forever()


if __name__ == "__main__":
    main()
