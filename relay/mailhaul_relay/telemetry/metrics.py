"""The table of metrics: every name with its type, labels and meaning. `docs/metrics.md` is generated from it.

`http.exposition` gives the values; a metric that is not here cannot be shown, and one without values fails a test.
Run as a module with `--write FILE` to write the page, with `--check FILE` to fail when the file differs.
"""

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mailhaul_relay.telemetry.tally import Histogram


class Kind(StrEnum):
    """The types of the Prometheus exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's name ends in `_total`; times are in seconds, moments in seconds since the epoch."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()


_UPSTREAM = ("upstream",)
_QUOTA = ("upstream", "period")

METRICS = (
    Metric("mailhaul_build_info", Kind.GAUGE, "Always 1; the label says which version runs.", ("version",)),
    Metric("mailhaul_start_time_seconds", Kind.GAUGE, "When the process began."),
    Metric("mailhaul_accepting", Kind.GAUGE, "1 while mail is accepted, else 0."),
    Metric("mailhaul_draining", Kind.GAUGE, "1 while new mail is refused so that the queue empties, else 0."),
    Metric("mailhaul_messages_accepted_total", Kind.COUNTER, "Messages answered 250."),
    Metric("mailhaul_accepted_bytes_total", Kind.COUNTER, "Bytes of the messages answered 250."),
    Metric(
        "mailhaul_accept_duration_seconds",
        Kind.HISTOGRAM,
        "From a message's final dot to the 250, so with its commit.",
    ),
    Metric(
        "mailhaul_refused_total",
        Kind.COUNTER,
        "Commands and messages refused to clients, by reply code and enhanced code.",
        ("code", "enhanced"),
    ),
    Metric("mailhaul_sessions_total", Kind.COUNTER, "SMTP sessions begun by clients."),
    Metric("mailhaul_sessions_open", Kind.GAUGE, "SMTP sessions open now."),
    Metric(
        "mailhaul_sessions_refused_total",
        Kind.COUNTER,
        "Connections of clients refused, by reason: the limit of all, the limit of one client, draining, or at a "
        "listener with the PROXY protocol: not a trusted proxy, or no valid header.",
        ("reason",),
    ),
    Metric(
        "mailhaul_logins_total",
        Kind.COUNTER,
        "Logins of clients with an SMTP account, by result: accepted, refused (wrong name or password), banned (too "
        "many failures before), or busy (too many at once).",
        ("result",),
    ),
    Metric(
        "mailhaul_handler_errors_total",
        Kind.COUNTER,
        "Errors inside the relay while it served a client (answered 451) or worked on a message (tried again later). "
        "Any is a bug: see the log.",
    ),
    Metric(
        "mailhaul_client_identity_lost_total",
        Kind.COUNTER,
        "Sessions that came from a node's address: the client's own was lost on the way, so it was not trusted.",
    ),
    Metric(
        "mailhaul_recipients_total",
        Kind.COUNTER,
        "Recipients by upstream and outcome of the attempt: delivered, deferred, held, failed, or unknown (the "
        "connection was lost after the final dot; a retry may double the mail).",
        ("upstream", "outcome"),
    ),
    Metric(
        "mailhaul_delivery_duration_seconds",
        Kind.HISTOGRAM,
        "How long a transmission to an upstream took, whatever its outcome.",
        _UPSTREAM,
    ),
    Metric(
        "mailhaul_last_delivery_timestamp_seconds",
        Kind.GAUGE,
        "When an upstream last took a message; 0 when it has not since the start.",
        _UPSTREAM,
    ),
    Metric(
        "mailhaul_faults_total",
        Kind.COUNTER,
        "Attempts that went wrong, by upstream and fault (auth, quota, throttle, connection, tls, sender, ...).",
        ("upstream", "fault"),
    ),
    Metric(
        "mailhaul_unmatched_replies_total",
        Kind.COUNTER,
        "Replies of an upstream that no rule knows, so that only their code decided.",
        _UPSTREAM,
    ),
    Metric(
        "mailhaul_breaker_state",
        Kind.GAUGE,
        "1 for the state that an upstream's breaker is in, 0 for the others: Closed lets mail through.",
        ("upstream", "state"),
    ),
    Metric("mailhaul_refused_senders", Kind.GAUGE, "From domains that an upstream refuses now.", _UPSTREAM),
    Metric(
        "mailhaul_upstream_pace_ratio",
        Kind.GAUGE,
        "The part of an upstream's configured connections and rate that is used: less than 1 after it asked for less, "
        "growing again while it is quiet.",
        _UPSTREAM,
    ),
    Metric(
        "mailhaul_quota_used",
        Kind.GAUGE,
        "What this replica has used of an upstream's quota in the period that runs, in messages or recipients as the "
        "quota counts; the limit when the provider says that it is used up.",
        _QUOTA,
    ),
    Metric(
        "mailhaul_quota_limit", Kind.GAUGE, "This replica's part of an upstream's quota; 0 until it has one.", _QUOTA
    ),
    Metric(
        "mailhaul_quota_reset_timestamp_seconds",
        Kind.GAUGE,
        "When a quota begins anew, or a rolling one gives something back; 0 when nothing of it is used.",
        _QUOTA,
    ),
    Metric(
        "mailhaul_quota_full_timestamp_seconds",
        Kind.GAUGE,
        "When a quota is used up at the rate of late; 0 when that is not before its reset.",
        _QUOTA,
    ),
    Metric(
        "mailhaul_quota_trial_end_timestamp_seconds",
        Kind.GAUGE,
        "When the trial that a quota belongs to ends; 0 for never.",
        _QUOTA,
    ),
    Metric("mailhaul_upstream_connections_total", Kind.COUNTER, "Connections opened to an upstream.", _UPSTREAM),
    Metric("mailhaul_upstream_connections_open", Kind.GAUGE, "Connections to an upstream open now.", _UPSTREAM),
    Metric(
        "mailhaul_queue_messages",
        Kind.GAUGE,
        "Messages by the state of their most hopeful recipient: queued, deferred, held, dead (dead letters), and "
        "quarantined (records that could not be read and were set aside).",
        ("state",),
    ),
    Metric(
        "mailhaul_queue_oldest_timestamp_seconds",
        Kind.GAUGE,
        "When the oldest message that waits was accepted; 0 when none waits.",
    ),
    Metric("mailhaul_recipients_delivered_total", Kind.COUNTER, "Recipients delivered, over all upstreams."),
    Metric("mailhaul_recipients_failed_total", Kind.COUNTER, "Recipients that became dead letters."),
    Metric("mailhaul_messages_dropped_total", Kind.COUNTER, "Messages dropped by `mailhaul queue drop`."),
    Metric("mailhaul_queue_on_hold_messages", Kind.GAUGE, "Messages that a person holds; `held` counts them too."),
    Metric(
        "mailhaul_dead_letters_pruned_total",
        Kind.COUNTER,
        "Dead letters dropped since they were kept for `spec.queue.deadLetters.keepFor`.",
    ),
    Metric("mailhaul_suppressed_recipients", Kind.GAUGE, "Recipients on the suppression list, refused at once."),
    Metric(
        "mailhaul_suppressions_total",
        Kind.COUNTER,
        "Recipients that were put on the suppression list by permanent failures.",
    ),
    Metric("mailhaul_bounces_total", Kind.COUNTER, "Delivery status notifications made."),
    Metric(
        "mailhaul_alias_recipients_total",
        Kind.COUNTER,
        "Recipients that a MailAlias led to, by outcome: forwarded or failed. Above 500 aliases in use the later "
        "ones are summed up with the name `(others)`.",
        ("alias_namespace", "alias", "outcome"),
    ),
    Metric(
        "mailhaul_route_recipients_total",
        Kind.COUNTER,
        "Recipients of mail that took a route of `spec.routes`, by route and outcome of the attempt, as in "
        "`mailhaul_recipients_total`.",
        ("route", "outcome"),
    ),
    Metric(
        "mailhaul_config_reloads_total",
        Kind.COUNTER,
        "Configurations read, by result: applied, or refused (then the last good one runs on).",
        ("result",),
    ),
    Metric("mailhaul_http_denied_total", Kind.COUNTER, "HTTP requests with a missing or wrong token."),
    Metric(
        "mailhaul_log_lines_dropped_total",
        Kind.COUNTER,
        "Log lines given up because nobody read standard error.",
    ),
)

_HEAD = """# Metrics

Generated by `python -m mailhaul_relay.telemetry.metrics --write docs/metrics.md`; change the table there.

A relay shows its metrics at `GET /metrics` on its HTTP port (9090), without a token: they hold no address and no
credential. Counters begin at zero with each process. No label takes its values from mail. On Linux the usual
`process_*` metrics (memory, CPU time, open files) stand beside these.

| Name | Type | Labels | Meaning |
|---|---|---|---|
"""


def page() -> str:
    """Give `docs/metrics.md`."""
    rows = "".join(
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |\n"
        for one in METRICS
    )
    bounds = ", ".join(f"{bound:g}" for bound in Histogram.BOUNDS)
    return f"{_HEAD}{rows}\nUpper bounds of the histograms, in seconds: {bounds}.\n"


def main(arguments: list[str]) -> int:
    """Write or check the page; 0 when done or equal, 1 when it differs, 2 for wrong arguments."""
    match arguments:
        case ["--write", name]:
            Path(name).write_text(page(), encoding="utf-8")
            return 0
        case ["--check", name]:
            if Path(name).exists() and Path(name).read_text(encoding="utf-8") == page():
                return 0
            sys.stderr.write(
                f"{name} is out of step; run `python -m mailhaul_relay.telemetry.metrics --write {name}`\n"
            )
            return 1
        case _:
            sys.stderr.write("usage: python -m mailhaul_relay.telemetry.metrics --write FILE | --check FILE\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
