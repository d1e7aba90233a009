"""Who may send: TLS and login before mail where the listener asks for them, AUTH (RFC 4954), implicit TLS (RFC 8314).

It stands between `courtesies` and `session`. Where something is to come first, the table of commands is another one, so
that a session without such rules pays nothing. A password is taken under TLS only and checked by `logins`, outside of
the event loop; until the verdict no command is taken. An account that is taken away ends its logins at the next MAIL.
Nothing that was typed is told, but for the name of an account that there is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from mailhaul_contract.accounts import Password
from mailhaul_contract.listening import ListenerTlsMode
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source
from mailhaul_relay.smtpin import authentication, limits, replies
from mailhaul_relay.smtpin.authentication import Challenge, Exchange, Login, Step
from mailhaul_relay.smtpin.conversation import Command, Hold
from mailhaul_relay.smtpin.courtesies import Courtesies
from mailhaul_relay.smtpin.framing import OVERLONG
from mailhaul_relay.smtpin.logins import Attempt, Verdict
from mailhaul_relay.smtpin.reception import Reception

_OPEN_BEFORE_TLS = frozenset({"EHLO", "NOOP", "STARTTLS", "QUIT", "AUTH"})
"""RFC 3207 section 4; AUTH has a reply of its own that says more."""
_CLOSED_BEFORE_LOGIN = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "VRFY", "EXPN"})
"""RFC 4954 section 6."""
_REPLIES = {Verdict.REFUSED: replies.AUTH_REFUSED, Verdict.BANNED: replies.AUTH_BANNED, Verdict.BUSY: replies.AUTH_BUSY}


async def _refuse(session: "Entrance", argument: str) -> None:  # noqa: ARG001 - a command's form
    session.refuse_entrance()


class Entrance(Courtesies):
    """A session that knows who may send."""

    before_tls: ClassVar[dict[str, Command]] = {}
    before_login: ClassVar[dict[str, Command]] = {}

    def __init_subclass__(cls) -> None:
        """Build the tables of commands once per class."""
        super().__init_subclass__()
        every = cls.commands.items()
        cls.before_tls = {verb: one if verb in _OPEN_BEFORE_TLS else _refuse for verb, one in every}
        cls.before_login = {verb: _refuse if verb in _CLOSED_BEFORE_LOGIN else one for verb, one in every}

    def __init__(self, reception: Reception, client: str) -> None:
        self._account = ""
        self._password: Password | None = None
        self._failed_logins = 0
        super().__init__(reception, client)
        self._set_rules()

    @property
    def shut_out(self) -> Reply | None:
        """Why nobody may send in this session yet; None when the client may."""
        if self._commands is self.commands:
            return None
        if self._commands is self.before_tls:
            return replies.TLS_FIRST
        return replies.AUTH_FIRST if self._accounts() else replies.NO_ACCOUNTS

    def refuse_entrance(self) -> None:
        """Answer a command that something else must precede."""
        refusal = self.shut_out
        assert refusal is not None
        self._err(refusal)

    def _set_rules(self) -> None:
        """Choose the table of commands by what has been done so far."""
        reception = self.reception
        if reception.spec.tls_required and self._tls_protocol is None:
            self._commands = self.before_tls
        elif reception.needs_auth and not self._account:
            self._commands = self.before_login
        else:
            self._commands = self.commands

    def _accounts(self) -> Mapping[str, Password]:
        return self._running.secrets.accounts

    def _opened(self) -> None:
        if self.reception.spec.tls is not ListenerTlsMode.IMPLICIT:
            super()._opened()
        elif (context := self.reception.tls) is not None:
            self._begin_tls(context)
        else:
            self.close()

    def _secured(self) -> None:
        super()._secured()
        self._set_rules()
        if self.reception.spec.tls is ListenerTlsMode.IMPLICIT:
            super()._opened()

    def _judge(self, running: Running) -> Source:
        source = super()._judge(running)
        if not self._account:
            return source
        if running.secrets.accounts.get(self._account) != self._password:
            self._account, self._password = "", None
            self._set_rules()
            return source
        return replace(source, trusted=True, identity_lost=False, account=self._account)

    # AUTH

    async def smtp_AUTH(self, argument: str) -> None:
        """Log in."""
        refusal = self._auth_out_of_order()
        if refusal is not None:
            self._err(refusal)
        elif not self._current().secrets.accounts:
            self._err(replies.NO_ACCOUNTS)
        else:
            exchange = Exchange()
            self._go_on(exchange, exchange.begin(argument))

    def _auth_out_of_order(self) -> Reply | None:
        if not self.reception.offers_auth:
            return replies.NOT_OFFERED
        if self._tls_protocol is None:
            return replies.AUTH_NEEDS_TLS
        if not self._extended:
            return replies.EHLO_NEEDED
        if self._account:
            return replies.AUTH_TWICE
        return None if self.is_idle else replies.AUTH_IN_TRANSACTION

    def _go_on(self, exchange: Exchange, step: Step) -> None:
        match step:
            case Challenge():
                self._out.append(step.line)
                self._asked = lambda line: self._answered(exchange, line)
            case Login():
                self._log_in(step)
            case _:
                self._err(step)

    def _answered(self, exchange: Exchange, line: bytes) -> None:
        if line is OVERLONG:
            self._go_on(exchange, authentication.TOO_LONG)
        elif not line.endswith(b"\r\n"):
            self._go_on(exchange, replies.BARE_LINE_END)
        else:
            self._go_on(exchange, exchange.answer(line[:-2]))

    def _log_in(self, login: Login) -> None:
        self._hold |= Hold.LOGIN
        accounts = self._current().secrets.accounts
        stored = accounts.get(login.name)
        attempt = Attempt(self.client, self._source.trusted, login.name, login.password)
        known = login.name if stored is not None else ""
        self.reception.services.logins.check(
            attempt, accounts, lambda verdict, ban: self._judged(verdict, known, stored, ban=ban)
        )

    def _judged(self, verdict: Verdict, known: str, stored: Password | None, *, ban: bool) -> None:
        services = self.reception.services
        services.tally.logins[verdict.value] += 1
        if ban:
            services.log.event("login-ban", "warning", client=self.client, account=known or None)
        if self._hold & Hold.CLOSING:
            return
        try:
            if verdict is Verdict.ACCEPTED:
                self._logged_in(known, stored)
            else:
                self._not_logged_in(verdict, known)
        finally:
            self._release(Hold.LOGIN)

    def _logged_in(self, account: str, password: Password | None) -> None:
        self._account, self._password = account, password
        self._failed_logins = 0
        self._source = self._judge(self._running)
        self._set_rules()
        self._out.append(replies.AUTH_ACCEPTED)

    def _not_logged_in(self, verdict: Verdict, known: str) -> None:
        self.reception.services.log.event(
            "login-refused", client=self.client, account=known or None, result=verdict.value
        )
        self._refuse(_REPLIES[verdict])
        self._failed_logins += 1
        if self._failed_logins >= limits.LOGINS:
            self.close(replies.TOO_MANY_LOGINS)
