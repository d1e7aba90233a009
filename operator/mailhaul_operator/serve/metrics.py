"""The operator's own metrics, in a table from which `docs/operator-metrics.md` is generated.

The queue's turns, the API client's counts and the lease fill them; `pages` shows them. No label takes its values
from a resource. Run as a module with `--write FILE` to write the page, with `--check FILE` to fail when it differs.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of the histogram, in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `type` is `counter`, `gauge` or `histogram`. A counter's name ends in `_total`."""

    name: str
    type: str
    meaning: str
    labels: tuple[str, ...] = ()


BUILD = Metric("mailhaul_operator_build_info", "gauge", "Always 1; the label says which version runs.", ("version",))
LEADER = Metric("mailhaul_operator_leader", "gauge", "1 while this process holds the lease and acts, else 0.")
RECONCILES = Metric(
    "mailhaul_operator_reconciles_total",
    "counter",
    "Passes over a resource, by its kind and result: ok, or error (tried again, ever later).",
    ("kind", "result"),
)
DURATION = Metric(
    "mailhaul_operator_reconcile_duration_seconds", "histogram", "How long a pass took, by kind.", ("kind",)
)
DEPTH = Metric("mailhaul_operator_queue_depth", "gauge", "Resources that are due for a pass and wait for a worker.")
REQUESTS = Metric(
    "mailhaul_operator_api_requests_total",
    "counter",
    "Requests to the API server by verb and kind, watches left out. While nothing changes, only `get` and `list` grow.",
    ("verb", "kind"),
)
ERRORS = Metric(
    "mailhaul_operator_errors_total",
    "counter",
    "Errors inside the operator, by the kind of the resource. Any is a bug: see the log.",
    ("kind",),
)
CLOSED = Metric(
    "mailhaul_operator_closed_namespaces",
    "gauge",
    "Listed namespaces that are not there or where the operator has no rights: nothing is done in them; see the log.",
)
METRICS = (BUILD, LEADER, RECONCILES, DURATION, DEPTH, REQUESTS, ERRORS, CLOSED)


Requests = Mapping[tuple[str, str], int]
"""How many requests were made, by verb and kind."""


class _RequestCounter(Collector):
    """Shows what the API client has counted."""

    def __init__(self, requests: Callable[[], Requests]) -> None:
        self._requests = requests

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the counts of this moment."""
        family = CounterMetricFamily(REQUESTS.name, REQUESTS.meaning, labels=REQUESTS.labels)
        for labels, count in sorted(self._requests().items()):
            family.add_metric(labels, count)
        yield family


class Metrics:
    """The metrics of one process. What `watch` names is asked when somebody looks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._gauge(BUILD).labels(version("mailhaul")).set(1)
        self._leader, self._depth, self._closed = self._gauge(LEADER), self._gauge(DEPTH), self._gauge(CLOSED)
        self._reconciles, self._errors = self._counter(RECONCILES), self._counter(ERRORS)
        self._duration = Histogram(
            DURATION.name, DURATION.meaning, DURATION.labels, registry=self._registry, buckets=BOUNDS
        )

    def watch(
        self,
        depth: Callable[[], int],
        leads: Callable[[], bool],
        requests: Callable[[], Requests],
        closed: Callable[[], int],
    ) -> None:
        """Name the sources of what is counted elsewhere."""
        self._registry.register(_RequestCounter(requests))
        self._depth.set_function(depth)
        self._leader.set_function(leads)
        self._closed.set_function(closed)

    def reconciled(self, kind: str, seconds: float, *, failed: bool) -> None:
        """Count a pass."""
        self._reconciles.labels(kind, "error" if failed else "ok").inc()
        self._duration.labels(kind).observe(seconds)
        if failed:
            self._errors.labels(kind).inc()

    def exposition(self) -> bytes:
        """Give all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)


def page() -> str:
    """Give `docs/operator-metrics.md`."""
    rows = "".join(
        f"| `{one.name}` | {one.type} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |\n"
        for one in METRICS
    )
    return f"{_HEAD}{rows}\nUpper bounds of the histogram, in seconds: {', '.join(f'{one:g}' for one in BOUNDS)}.\n"


_HEAD = """# Metrics of the operator

Generated by `python -m mailhaul_operator.serve.metrics --write docs/operator-metrics.md`; change the table there.
Those of the relays are in [metrics.md](metrics.md).

The operator shows its metrics at `GET /metrics` on port 9090 (`--metrics-port`). They hold no name of a resource, no
address and no credential. Counters begin at zero with each process. The usual `process_*` metrics stand beside these.

| Name | Type | Labels | Meaning |
|---|---|---|---|
"""


def main(arguments: list[str]) -> int:
    """Write or check the page; 0 when done or equal, 1 when it differs, 2 for wrong arguments."""
    match arguments:
        case ["--write", name]:
            Path(name).write_text(page(), encoding="utf-8")
            return 0
        case ["--check", name]:
            if Path(name).exists() and Path(name).read_text(encoding="utf-8") == page():
                return 0
            sys.stderr.write(f"{name} is out of step; run `python -m mailhaul_operator.serve.metrics --write {name}`\n")
            return 1
        case _:
            sys.stderr.write("usage: python -m mailhaul_operator.serve.metrics --write FILE | --check FILE\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
