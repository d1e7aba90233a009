"""`RelayReport` from the readings of one moment: what the operator and `mailhaul status` see of this process.

The texts of upstreams in it are theirs, bounded where they were read. Lists are ordered, so that two reports of the
same state are equal. Pure; it cannot fail on valid readings.
"""

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.report import AliasReport, QueueReport, RelayReport, RouteReport, UpstreamReport
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.http.readings import Readings, UpstreamState
from mailhaul_relay.telemetry.tally import Tally, UpstreamTally

MAX_REPLIES = 20
"""Refused From domains of an upstream whose reply is told: a status can name no more."""
MAX_ALIASES = 5000
"""Aliases in a report; the first that were used, for the report is fetched every few seconds."""


def build_report(readings: Readings) -> RelayReport:
    """Give the report of a moment."""
    config, identity, tally = readings.config, readings.identity, readings.tally
    states = {state.name: state for state in readings.upstreams}
    return RelayReport(
        namespace=config.relay.namespace,
        name=config.relay.name,
        pid=identity.pid,
        started=identity.started,
        time=readings.now,
        digest=identity.digest,
        secret_revision=identity.secret_revision,
        awaiting_secret_revision=identity.awaiting,
        awaiting_reason=identity.awaiting_reason,
        refused_config=identity.refused,
        accepting=not readings.not_accepting,
        not_accepting_reason=readings.not_accepting,
        draining=readings.draining,
        suppressed=readings.suppressed,
        listeners=readings.listeners,
        queue=_queue(readings),
        upstreams=tuple(
            _upstream(one, tally.upstreams.get(one.name, UpstreamTally()), states.get(one.name))
            for one in config.upstreams
        ),
        routes=_routes(config),
        aliases=_aliases(tally),
        accepted=tally.accepted,
        delivered=tally.delivered,
        failed=tally.failed,
        delivered_last_day=tally.delivered_last_day.total(readings.now),
        failed_last_day=tally.failed_last_day.total(readings.now),
        client_identity_lost=tally.client_identity_lost,
        last_delivery=tally.last_delivery,
        last_delivery_upstream=tally.last_delivery_upstream,
        last_error=tally.last_error,
        last_error_upstream=tally.last_error_upstream,
    )


def _routes(config: RelayConfig) -> tuple[RouteReport, ...]:
    every = tuple(one.name for one in config.upstreams)
    return tuple(
        RouteReport(name=one.name, upstreams=every if one.upstreams is None else one.upstreams) for one in config.routes
    )


def _queue(readings: Readings) -> QueueReport:
    counts = readings.counts
    return QueueReport(
        queued=counts.queued,
        deferred=counts.deferred,
        held=counts.held,
        dead=counts.dead,
        quarantined=counts.quarantined,
        oldest=counts.oldest,
        on_hold=counts.on_hold,
    )


def _upstream(upstream: Upstream, tally: UpstreamTally, state: UpstreamState | None) -> UpstreamReport:
    report = UpstreamReport(
        name=upstream.name,
        provider=upstream.provider,
        endpoint=tally.endpoint or (f"{upstream.host}:{upstream.port}" if upstream.host else ""),
        connections=tally.connections_open,
        delivered=tally.delivered,
        deferred=tally.deferred,
        held=tally.held,
        failed=tally.failed,
        unknown=tally.unknown,
        last_delivery=tally.last_delivery,
        last_reply=tally.last_reply,
    )
    if state is None:
        return report
    return report.model_copy(
        update={
            "breaker": state.breaker,
            "opened": state.opened,
            "breaker_fault": state.fault,
            "breaker_text": state.fault_text,
            "breaker_since": state.since,
            "next_attempt": state.next_attempt,
            "refused_senders": tuple(sorted(state.refused_senders)),
            "refused_sender_replies": dict(sorted(state.refused_sender_replies.items())[:MAX_REPLIES]),
            "credential": state.credential,
            "credential_reply": state.credential_reply,
            "probe": state.probe,
            "last_accepted": state.last_accepted,
            "quotas": state.quotas,
            "pace": state.pace,
        }
    )


def _aliases(tally: Tally) -> tuple[AliasReport, ...]:
    reports = []
    for key, one in sorted(list(tally.aliases.items())[:MAX_ALIASES]):
        namespace, _, name = key.partition("/")
        reports.append(AliasReport(namespace=namespace, name=name, forwarded=one.forwarded, failed=one.failed))
    return tuple(reports)
