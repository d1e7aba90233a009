"""Runs in, text out: medians for each target, and ratios to the first target as medians of the rounds' ratios. Pure.

The ratio of a round compares two runs that followed one another; its median over the rounds is steadier on a shared
machine than the ratio of medians.
"""

from collections.abc import Callable
from statistics import median

from bench.rounds import Run

Figure = Callable[[Run], float]
FIGURES: dict[str, Figure] = {
    "accept/s": lambda run: run.accept_rate,
    "e2e/s": lambda run: run.e2e_rate,
    "accept p50 ms": lambda run: run.accept_ms["p50"],
    "accept p99 ms": lambda run: run.accept_ms["p99"],
    "e2e p50 ms": lambda run: run.e2e_ms["p50"],
    "e2e p99 ms": lambda run: run.e2e_ms["p99"],
    "CPU s/1000": lambda run: run.cpu_per_1000,
    "PSS idle MiB": lambda run: run.pss_idle,
    "PSS peak MiB": lambda run: run.pss_peak,
}
RATIOS = ("accept/s", "e2e/s", "accept p50 ms", "e2e p50 ms", "CPU s/1000", "PSS peak MiB")


def ratios(runs: list[Run], base: str, other: str, case: str) -> dict[str, tuple[float, float, float]]:
    """Give for each figure the median, least and greatest of the rounds' ratios other/base; missing when unknown."""
    of_base = {run.round: run for run in runs if (run.target, run.case) == (base, case)}
    of_other = {run.round: run for run in runs if (run.target, run.case) == (other, case)}
    found = {}
    for name in RATIOS:
        figure = FIGURES[name]
        values = [figure(of_other[at]) / figure(run) for at, run in of_base.items() if at in of_other and figure(run)]
        if values:
            found[name] = (median(values), min(values), max(values))
    return found


def figures_table(runs: list[Run]) -> str:
    """Give the medians of every case and target as a Markdown table."""
    rows = [["case", "target", "rounds", *FIGURES, "noise", "lost", "dup"]]
    for case in dict.fromkeys(run.case for run in runs):
        for target in dict.fromkeys(run.target for run in runs):
            some = [run for run in runs if (run.case, run.target) == (case, target)]
            if some:
                figures = [_number(median(map(figure, some))) for figure in FIGURES.values()]
                noise = f"{median(run.noise for run in some):.2f}"
                losses = [str(sum(run.lost for run in some)), str(sum(run.duplicates for run in some))]
                rows.append([case, target, str(len(some)), *figures, noise, *losses])
    return _markdown(rows)


def ratios_table(runs: list[Run]) -> str:
    """Give the ratios to the first target as a Markdown table, with their range over the rounds."""
    base, *others = dict.fromkeys(run.target for run in runs)
    rows = [["case", f"target / {base}", *RATIOS]]
    for case in dict.fromkeys(run.case for run in runs):
        for other in others:
            found = ratios(runs, base, other, case)
            cells = [_spread(found.get(name)) for name in RATIOS]
            rows.append([case, other, *cells])
    return _markdown(rows)


def line(run: Run) -> str:
    """Say one run in one line, for progress."""
    return (
        f"  {run.case:>14} round {run.round + 1} {run.target:<9}"
        f" accept {run.accept_rate:7.0f}/s  e2e {run.e2e_rate:7.0f}/s"
        f"  p50 {run.accept_ms['p50']:7.2f} ms  CPU {run.cpu_per_1000:6.2f} s/1000  PSS {run.pss_peak:6.1f} MiB"
        f"  noise {run.noise:.2f}  lost {run.lost}  dup {run.duplicates}"
        + (f"  FAILED {run.failed}: {run.error}" if run.failed else "")
    )


def _spread(ratio: tuple[float, float, float] | None) -> str:
    return f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})" if ratio else "unknown"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def _markdown(rows: list[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
