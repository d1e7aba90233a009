"""What is known of an upstream's current credential, and when it may be tried again.

`smtpout.logins` keeps one `Standing` for each upstream, asks it before a login and replaces it after one; the report
shows it. A refused credential is tried again by the breaker's rule of AUTH (after 5, 15, then every 60 minutes): more
often is abuse to a provider, whoever asks, and a restart is no reason for it. Cannot fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from mailhaul_contract.report import CredentialState
from mailhaul_contract.upstream import AuthMechanism, Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Certificate, Credential
from mailhaul_relay.policy.breaker import pause
from mailhaul_relay.policy.running import Running


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

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered over a restart: a refusal, for a proof is soon had again."""
        if self.refusal is None or self.refusal.reply is None:
            return {}
        reply = self.refusal.reply
        return {
            "state": self.state.value,
            "reply": [reply.code, reply.enhanced, reply.text],
            "remedy": self.refusal.remedy,
            "refusedAt": self.refused_at,
            "failures": self.failures,
            "nextAttempt": self.next_attempt,
        }

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read what was remembered, perhaps by another version; what cannot be read is forgotten."""
        if not isinstance(data, Mapping):
            return cls()
        try:
            code, enhanced, text = data["reply"]
            reply = Reply(int(code), str(enhanced)[:16], str(text)[:512])
            refusal = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, reply, remedy=str(data.get("remedy", ""))[:512])
            return cls(
                CredentialState(data["state"]),
                refusal,
                float(data["refusedAt"]),
                int(data["failures"]),
                float(data["nextAttempt"]),
            )
        except (KeyError, ValueError, TypeError, OverflowError):
            return cls()


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


def credentials_of(running: Running, upstream: Upstream) -> tuple[Credential | None, Credential | None]:
    """Give the current and the previous credential of an upstream, as far as it logs in at all.

    A provider may be called `a.previous`: what lies under its name is never sent to the upstream of `a`.
    """
    if upstream.auth is AuthMechanism.NONE:
        return None, None
    known, provider = running.secrets, upstream.provider
    taken = any(one.provider == f"{provider}.previous" for one in running.config.upstreams)
    return known.credentials.get(provider), None if taken else known.previous.get(provider)


def identity_of(running: Running, upstream: Upstream) -> Certificate | None:
    """Give the certificate that the relay shows to an upstream; None where it shows none, or has none to show."""
    return running.secrets.identities.get(upstream.provider) if upstream.tls.client_certificate else None


def _without(standing: Standing) -> Standing:
    is_carried = standing.state is CredentialState.PREVIOUS
    return replace(standing, state=CredentialState.REFUSED) if is_carried else standing
