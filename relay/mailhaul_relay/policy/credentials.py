"""What is known of an upstream's current credential, and when it may be tried again.

`smtpout.logins` keeps one `Standing` for each upstream, asks it before a login and replaces it after one; the report
shows it. A refused credential is tried again by the breaker's rule of AUTH (after 5, 15, then every 60 minutes): more
often is abuse to a provider, whoever asks. Cannot fail.
"""

from dataclasses import dataclass, replace

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Fault, Outcome, Stage
from mailhaul_relay.policy.breaker import pause


@dataclass(frozen=True, slots=True)
class Standing:
    """`refusal` is what refused the current credential at `refused_at`, `failures` times in a row; it is tried again at
    `next_attempt` (epoch seconds). `previous_refused` since the current one was tried last.
    """

    state: CredentialState = CredentialState.UNPROVED
    refusal: Outcome | None = None
    refused_at: float = 0.0
    failures: int = 0
    next_attempt: float = 0.0
    previous_refused: bool = False

    def is_due(self, now: float) -> bool:
        """Whether the current credential may be tried. A clock that was set back does not bar it for ever."""
        return self.refusal is None or not self.refused_at <= now < self.next_attempt


PROVED = Standing(CredentialState.PROVED)


def is_refusal(outcome: Outcome) -> bool:
    """Whether the upstream refused the credential itself; not when it offers no AUTH, or none just now."""
    return outcome.stage is Stage.AUTH and outcome.fault is Fault.AUTH and outcome.reply is not None


def refused(standing: Standing, outcome: Outcome, now: float) -> Standing:
    """The current credential was refused. Logins that were under way together are one attempt."""
    if not standing.is_due(now):
        return standing
    failures = standing.failures + 1
    goes_on = standing.state is CredentialState.PREVIOUS
    state = CredentialState.PREVIOUS if goes_on else CredentialState.REFUSED
    return Standing(state, outcome, now, failures, now + pause(Fault.AUTH, failures))


def previous_taken(standing: Standing) -> Standing:
    """The previous credential was taken; that says nothing while the current one was not refused."""
    state = standing.state if standing.refusal is None else CredentialState.PREVIOUS
    return replace(standing, state=state, previous_refused=False)


def previous_refused(standing: Standing) -> Standing:
    """The previous credential was refused as well, or there is none any more."""
    return replace(_without(standing), previous_refused=True)


def previous_changed(standing: Standing, *, exists: bool) -> Standing:
    """Another previous credential, or none, lies beside the same current one."""
    return replace(standing if exists else _without(standing), previous_refused=False)


def _without(standing: Standing) -> Standing:
    is_carried = standing.state is CredentialState.PREVIOUS
    return replace(standing, state=CredentialState.REFUSED) if is_carried else standing
