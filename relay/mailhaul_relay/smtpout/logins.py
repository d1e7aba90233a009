"""Which credential of an upstream the next connection logs in with: the current one, or the one before its last change.

`queue` makes one for each upstream and shows its `standing`; `pool` opens every connection through it. A current
credential that is refused is no reason to stop mail that the previous one still carries. Failure: UnusableError with
the refusal, which opens the breaker, when nothing is left to try; `policy.credentials` says what may be tried when.
"""

from collections.abc import Awaitable, Callable

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Outcome
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.policy.credentials import (
    PROVED,
    Standing,
    is_refusal,
    previous_changed,
    previous_refused,
    previous_taken,
    refused,
)
from mailhaul_relay.ports.clock import Clock, wall_clock
from mailhaul_relay.smtpout.access import PLAIN_ACCESS, Access
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.connection import Connection

Dial = Callable[[Credential | None], Awaitable[Connection]]
"""Opens a connection with a credential; raises UnusableError."""


class Logins:
    """`current` None is an upstream without credentials, of which nothing is to be known; `access` is what its
    connections have beside it. `on_change` is told of each change: what was known, and what is known now.
    """

    def __init__(
        self,
        current: Credential | None,
        previous: Credential | None = None,
        clock: Clock = wall_clock,
        access: Access = PLAIN_ACCESS,
    ) -> None:
        self.current = current
        self.access = access
        self.previous = previous if current else None
        self.standing = Standing()
        self.on_change: Callable[[Standing, Standing], None] = lambda _, __: None
        self._clock = clock
        self._trying = 0

    @property
    def wants_login(self) -> bool:
        """Whether the next mail should open a connection, though idle ones of the previous credential may be there."""
        return self.keeps_previous and not self._trying and self.standing.is_due(self._clock())

    @property
    def keeps_previous(self) -> bool:
        """Whether connections of the previous credential are of use still."""
        return self.previous is not None and self.standing.state is not CredentialState.PROVED

    def restore(self, standing: Standing) -> None:
        """Take what an earlier process knew of the same credential."""
        self.standing = previous_changed(standing, exists=self.previous is not None)

    def replace_previous(self, previous: Credential | None) -> None:
        """Take another previous credential, or none, beside the same current one."""
        if previous != self.previous and self.current is not None:
            self.previous = previous
            self._become(previous_changed(self.standing, exists=previous is not None))

    async def open(self, dial: Dial) -> Connection:
        """Open a connection with whichever credential is its turn. Raises UnusableError."""
        if self.current is None:
            return await dial(None)
        if self._is_turn_of_current():
            opened = await self._try_current(dial)
            if isinstance(opened, Connection):
                return opened
        if self.may_use_previous:
            connection = await self._try_previous(dial)
            if connection is not None:
                return connection
        if self.standing.refusal is not None:
            raise UnusableError(self.standing.refusal)
        # The previous one was refused while somebody else was trying the current one: its turn has come.
        opened = await self._try_current(dial)
        if isinstance(opened, Connection):
            return opened
        raise UnusableError(opened)

    def accepted(self) -> None:
        """The current credential was taken, here or by a probe."""
        self._become(PROVED)

    def refused(self, outcome: Outcome) -> None:
        """The current credential was refused, here or by a probe."""
        self._become(refused(self.standing, outcome, self._clock()))

    def previous_answered(self, *, taken: bool) -> None:
        """The previous credential was taken or refused by a probe, after the current one was refused."""
        if self.previous is not None and self.standing.refusal is not None:
            self._become(previous_taken(self.standing) if taken else previous_refused(self.standing))

    def _is_turn_of_current(self) -> bool:
        if not self.standing.is_due(self._clock()):
            return False
        return not (self._trying and self.may_use_previous)

    @property
    def may_use_previous(self) -> bool:
        """Whether there is a previous credential that was not refused since the current one was tried last."""
        return self.previous is not None and not self.standing.previous_refused

    async def _try_current(self, dial: Dial) -> Connection | Outcome:
        """Give the connection, or the refusal."""
        self._trying += 1
        try:
            connection = await dial(self.current)
        except UnusableError as error:
            if not is_refusal(error.outcome):
                raise
            self.refused(error.outcome)
            return error.outcome
        finally:
            self._trying -= 1
        self.accepted()
        return connection

    async def _try_previous(self, dial: Dial) -> Connection | None:
        """Give the connection, None when the previous credential was refused as well."""
        previous = self.previous
        try:
            connection = await dial(previous)
        except UnusableError as error:
            if not is_refusal(error.outcome):
                raise
            if previous is self.previous:
                self._become(previous_refused(self.standing))
            return None
        connection.by_previous = True
        if previous is self.previous:
            self._become(previous_taken(self.standing))
        return connection

    def _become(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        if before != standing:
            self.on_change(before, standing)
