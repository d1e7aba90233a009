"""The values of `/metrics`, read from the tally when somebody asks, in Prometheus's text format.

No counter object lies on the way of a mail. prometheus-client is imported at the first request, for it costs 5 MB that
a relay which nobody scrapes need not have. The table of names is `telemetry.metrics`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from mailhaul_contract.report import BreakerState
from mailhaul_relay.http.readings import Readings
from mailhaul_relay.telemetry.metrics import METRICS, Kind, Metric
from mailhaul_relay.telemetry.tally import AliasTally, Histogram, UpstreamTally

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import CollectorRegistry

MAX_UPSTREAMS = 64
MAX_ALIASES = 500
MAX_CODES = 100
MAX_ROUTES = 64
OUTCOMES = ("delivered", "deferred", "held", "failed", "unknown")
"""Of an attempt, for a recipient."""

Sample = tuple[tuple[str, ...], float]
Values = Mapping[str, Iterable[Sample]]
Histograms = Mapping[str, Iterable[tuple[tuple[str, ...], Histogram]]]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def values(readings: Readings) -> Values:
    """Give the samples of every counter and gauge by the metric's name, label values in the table's order."""
    return {
        **_process(readings),
        **_clients(readings),
        **_queue(readings),
        **_upstreams(readings),
        **_quotas(readings),
        **_aliases(readings),
        "mailhaul_route_recipients_total": _routes(readings),
    }


def histograms(readings: Readings) -> Histograms:
    """Give the histograms by the metric's name."""
    return {
        "mailhaul_accept_duration_seconds": [((), readings.tally.accept_time)],
        "mailhaul_delivery_duration_seconds": [((name,), one.delivery_time) for name, one in _shown(readings)],
    }


def exposition(readings: Callable[[], Readings]) -> Callable[[], bytes]:
    """Give the function that renders `/metrics`."""
    registry: CollectorRegistry | None = None

    def render() -> bytes:
        nonlocal registry
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415

        if registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Collector(readings))
            ProcessCollector(registry=registry)
        return generate_latest(registry)

    return render


class _Collector:
    """A custom collector: makes the families anew at each scrape."""

    def __init__(self, readings: Callable[[], Readings]) -> None:
        self._readings = readings

    def describe(self) -> Iterable["Family"]:
        return ()

    def collect(self) -> Iterator["Family"]:
        readings = self._readings()
        plain, timed = values(readings), histograms(readings)
        for metric in METRICS:
            if metric.kind is Kind.HISTOGRAM:
                yield _histogram_family(metric, timed[metric.name])
            else:
                yield _family(metric, plain[metric.name])


def _family(metric: Metric, samples: Iterable[Sample]) -> "Family":
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram_family(metric: Metric, samples: Iterable[tuple[tuple[str, ...], Histogram]]) -> "Family":
    from prometheus_client.metrics_core import HistogramMetricFamily  # noqa: PLC0415

    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    bounds = [f"{bound:g}" for bound in Histogram.BOUNDS] + ["+Inf"]
    for labels, histogram in samples:
        family.add_metric(labels, list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum)
    return family


def _process(readings: Readings) -> Values:
    tally, identity = readings.tally, readings.identity
    return {
        "mailhaul_build_info": [((identity.version,), 1)],
        "mailhaul_start_time_seconds": [((), identity.started)],
        "mailhaul_accepting": [((), not readings.not_accepting)],
        "mailhaul_draining": [((), readings.draining)],
        "mailhaul_handler_errors_total": [((), tally.handler_errors)],
        "mailhaul_http_denied_total": [((), tally.http_denied)],
        "mailhaul_log_lines_dropped_total": [((), readings.log_dropped)],
        "mailhaul_config_reloads_total": _counted(tally.reloads, "applied", "refused"),
    }


def _clients(readings: Readings) -> Values:
    tally = readings.tally
    refused = islice(tally.refused.items(), MAX_CODES)
    return {
        "mailhaul_messages_accepted_total": [((), tally.accepted)],
        "mailhaul_accepted_bytes_total": [((), tally.accepted_bytes)],
        "mailhaul_refused_total": [
            ((code, enhanced), n) for key, n in refused for code, _, enhanced in [key.partition(" ")]
        ],
        "mailhaul_sessions_total": [((), tally.sessions_opened)],
        "mailhaul_sessions_open": [((), tally.sessions_open)],
        "mailhaul_sessions_refused_total": _counted(tally.sessions_refused),
        "mailhaul_logins_total": _counted(tally.logins, "accepted", "refused", "banned", "busy"),
        "mailhaul_client_identity_lost_total": [((), tally.client_identity_lost)],
    }


def _queue(readings: Readings) -> Values:
    counts, tally = readings.counts, readings.tally
    states = ("queued", "deferred", "held", "dead", "quarantined")
    return {
        "mailhaul_queue_messages": [((state,), getattr(counts, state)) for state in states],
        "mailhaul_queue_oldest_timestamp_seconds": [((), counts.oldest)],
        "mailhaul_recipients_delivered_total": [((), tally.delivered)],
        "mailhaul_recipients_failed_total": [((), tally.failed)],
        "mailhaul_messages_dropped_total": [((), tally.dropped)],
        "mailhaul_queue_on_hold_messages": [((), counts.on_hold)],
        "mailhaul_dead_letters_pruned_total": [((), tally.pruned)],
        "mailhaul_suppressed_recipients": [((), readings.suppressed)],
        "mailhaul_suppressions_total": [((), readings.suppressions)],
        "mailhaul_bounces_total": [((), tally.bounces)],
    }


def _upstreams(readings: Readings) -> Values:
    shown = _shown(readings)
    breakers = [(one.name, one.breaker, len(one.refused_senders)) for one in readings.upstreams]
    return {
        "mailhaul_recipients_total": [((name, kind), getattr(one, kind)) for name, one in shown for kind in OUTCOMES],
        "mailhaul_last_delivery_timestamp_seconds": [((name,), one.last_delivery) for name, one in shown],
        "mailhaul_faults_total": [((name, fault), n) for name, one in shown for fault, n in one.faults.items()],
        "mailhaul_unmatched_replies_total": [((name,), one.unmatched_replies) for name, one in shown],
        "mailhaul_upstream_connections_total": [((name,), one.connections_opened) for name, one in shown],
        "mailhaul_upstream_connections_open": [((name,), one.connections_open) for name, one in shown],
        "mailhaul_breaker_state": [((name, str(s)), s is state) for name, state, _ in breakers for s in BreakerState],
        "mailhaul_refused_senders": [((name,), refused) for name, _, refused in breakers],
        "mailhaul_upstream_pace_ratio": [((one.name,), one.pace) for one in readings.upstreams],
    }


def _quotas(readings: Readings) -> Values:
    quotas = [((one.name, quota.period), quota) for one in readings.upstreams for quota in one.quotas]
    return {
        "mailhaul_quota_used": [(labels, one.used) for labels, one in quotas],
        "mailhaul_quota_limit": [(labels, one.limit) for labels, one in quotas],
        "mailhaul_quota_reset_timestamp_seconds": [(labels, one.reset) for labels, one in quotas],
        "mailhaul_quota_full_timestamp_seconds": [(labels, one.full) for labels, one in quotas],
        "mailhaul_quota_trial_end_timestamp_seconds": [(labels, one.trial_end) for labels, one in quotas],
    }


def _aliases(readings: Readings) -> Values:
    every = readings.tally.aliases
    samples: list[Sample] = []
    for key, one in islice(every.items(), MAX_ALIASES):
        namespace, _, name = key.partition("/")
        samples += _alias(namespace, name, one)
    if len(every) > MAX_ALIASES:
        rest = AliasTally()
        for one in islice(every.values(), MAX_ALIASES, None):
            rest.forwarded += one.forwarded
            rest.failed += one.failed
        samples += _alias("", "(others)", rest)
    return {
        "mailhaul_alias_recipients_total": samples,
    }


def _routes(readings: Readings) -> list[Sample]:
    """The configured routes, then those of earlier configurations; bounded."""
    counted = readings.tally.routes
    names = dict.fromkeys([one.name for one in readings.config.routes] + list(counted))
    shown = [(name, counted.get(name, Counter[str]())) for name in islice(names, MAX_ROUTES)]
    return [((name, outcome), counts[outcome]) for name, counts in shown for outcome in OUTCOMES]


def _alias(namespace: str, name: str, tally: AliasTally) -> list[Sample]:
    return [((namespace, name, "forwarded"), tally.forwarded), ((namespace, name, "failed"), tally.failed)]


def _shown(readings: Readings) -> list[tuple[str, UpstreamTally]]:
    """The configured upstreams, then those of earlier configurations, for a counter must not vanish; bounded."""
    tallies = readings.tally.upstreams
    names = dict.fromkeys([one.name for one in readings.config.upstreams] + list(tallies))
    return [(name, tallies.get(name) or UpstreamTally()) for name in islice(names, MAX_UPSTREAMS)]


def _counted(counter: Counter[str], *always: str) -> list[Sample]:
    """One sample for each key; the keys that `always` are there begin at zero, so that a rate can be taken."""
    return [((key,), counter[key]) for key in dict.fromkeys([*always, *counter])]
