"""What `/metrics` shows: valid text, every documented metric and no other, and bounded whatever the relay counted."""

from prometheus_client.parser import text_string_to_metric_families
from tests.support.readings import NOW, busy_tally, readings

from mailhaul_relay.http.exposition import (
    MAX_ALIASES,
    MAX_CODES,
    MAX_ROUTES,
    MAX_UPSTREAMS,
    exposition,
    histograms,
    values,
)
from mailhaul_relay.telemetry.metrics import METRICS, Kind
from mailhaul_relay.telemetry.tally import Histogram, Tally


def _families(tally: Tally | None = None) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = exposition(lambda: readings(tally))().decode()
    return {
        sample.name: [(one.labels, one.value) for one in family.samples if one.name == sample.name]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _value(name: str, tally: Tally | None = None, **labels: str) -> float:
    found = [value for given, value in _families(tally)[name] if given == labels]
    assert len(found) == 1
    return found[0]


def test_every_documented_metric_has_values_and_no_other_one_has() -> None:
    shown = set(values(readings())) | set(histograms(readings()))
    assert shown == {metric.name for metric in METRICS}


def test_the_text_is_what_the_parser_of_prometheus_reads() -> None:
    names = {name for name in _families() if not name.startswith("process_")}
    plain = {metric.name for metric in METRICS if metric.kind is not Kind.HISTOGRAM}
    timed = {f"{m.name}_{part}" for m in METRICS if m.kind is Kind.HISTOGRAM for part in ("bucket", "count", "sum")}
    assert names == plain | timed


def test_labels_are_those_of_the_table() -> None:
    plain, timed = values(readings()), histograms(readings())
    for metric in METRICS:
        samples = [labels for labels, _ in (timed if metric.kind is Kind.HISTOGRAM else plain)[metric.name]]
        assert all(len(labels) == len(metric.labels) for labels in samples), metric.name
        assert len(set(samples)) == len(samples), metric.name


def test_values_are_those_of_the_tally() -> None:
    assert _value("mailhaul_messages_accepted_total") == 7
    assert _value("mailhaul_recipients_total", upstream="primary", outcome="deferred") == 2
    assert _value("mailhaul_refused_total", code="550", enhanced="5.7.1") == 2
    assert _value("mailhaul_queue_messages", state="quarantined") == 5
    assert _value("mailhaul_queue_oldest_timestamp_seconds") == NOW - 50
    assert _value("mailhaul_alias_recipients_total", alias_namespace="shop", alias="sales", outcome="forwarded") == 3
    assert _value("mailhaul_faults_total", upstream="primary", fault="auth") == 3
    assert _value("mailhaul_accepting") == 1


def test_a_route_counts_from_zero_and_one_of_an_earlier_configuration_does_not_vanish() -> None:
    assert _value("mailhaul_route_recipients_total", route="billing", outcome="delivered") == 0
    assert _value("mailhaul_route_recipients_total", route="gone-since-a-reload", outcome="held") == 2
    crowded = Tally()
    for at in range(MAX_ROUTES + 10):
        crowded.route(f"r{at}")["delivered"] += 1
    assert len(_families(crowded)["mailhaul_route_recipients_total"]) == MAX_ROUTES * 5


def test_exactly_one_state_of_a_breaker_is_one() -> None:
    states = _families()["mailhaul_breaker_state"]
    assert {labels["state"] for labels, value in states if value and labels["upstream"] == "primary"} == {"Open"}
    assert sum(value for labels, value in states if labels["upstream"] == "backup") == 1


def test_an_upstream_has_its_counters_before_its_first_mail() -> None:
    assert _value("mailhaul_recipients_total", Tally(), upstream="backup", outcome="delivered") == 0


def test_counters_of_an_upstream_that_was_removed_stay() -> None:
    assert _value("mailhaul_recipients_total", upstream="gone-since-a-reload", outcome="delivered") == 1


def test_histograms_are_cumulative_and_end_with_everything() -> None:
    buckets = [
        value for labels, value in _families()["mailhaul_delivery_duration_seconds_bucket"]
        if labels["upstream"] == "primary"
    ]  # fmt: skip
    assert buckets == sorted(buckets)
    assert len(buckets) == len(Histogram.BOUNDS) + 1
    assert buckets[-1] == 2
    assert _value("mailhaul_delivery_duration_seconds_count", upstream="primary") == 2


def test_the_number_of_series_is_bounded() -> None:
    tally = Tally()
    for number in range(2000):
        tally.alias(f"ns/alias{number}").forwarded = 1
        tally.upstream(f"u{number}").delivered = 1
        tally.refused[f"550 5.{number}.0"] += 1
    families = _families(tally)
    assert len(families["mailhaul_alias_recipients_total"]) == 2 * (MAX_ALIASES + 1)
    assert len(families["mailhaul_recipients_delivered_total"]) == 1
    assert len(families["mailhaul_last_delivery_timestamp_seconds"]) == MAX_UPSTREAMS
    assert len(families["mailhaul_refused_total"]) == MAX_CODES


def test_aliases_beyond_the_bound_are_summed_up() -> None:
    tally = Tally()
    for number in range(MAX_ALIASES + 7):
        tally.alias(f"ns/alias{number}").forwarded = 2
    others = {"alias_namespace": "", "alias": "(others)", "outcome": "forwarded"}
    assert _value("mailhaul_alias_recipients_total", tally, **others) == 14


def test_hostile_words_in_the_tally_cannot_break_the_text() -> None:
    tally = busy_tally()
    tally.refused['550 5.7.1"} 1\nmailhaul_evil 1'] += 1
    assert "mailhaul_evil" not in _families(tally)
