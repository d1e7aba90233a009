"""Ratios compare runs of one round, not medians of all rounds."""

from bench.rounds import Run
from bench.table import figures_table, ratios, ratios_table


def _run(target: str, number: int, rate: float, lost: int = 0) -> Run:
    times = {"p50": 1.0, "p90": 1.0, "p99": 2.0, "max": 2.0}
    return Run(
        target=target,
        case="4k:20:conn",
        round=number,
        accept_rate=rate,
        e2e_rate=rate,
        accept_ms=times,
        e2e_ms=times,
        cpu_per_1000=0.0 if target == "postfix" else 1.0,
        pss_idle=1.0,
        pss_peak=2.0,
        noise=0.0,
        accepted=10,
        failed=0,
        error="",
        lost=lost,
        duplicates=0,
        damaged=0,
        upstream_connections=1,
    )


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # The machine is ten times slower in the second round; each round says 2, 3, 4.
    runs = [_run("postfix", 0, 100), _run("ours", 0, 200), _run("postfix", 1, 10), _run("ours", 1, 30)]
    runs += [_run("postfix", 2, 100), _run("ours", 2, 400)]
    assert ratios(runs, "postfix", "ours", "4k:20:conn")["e2e/s"] == (3.0, 2.0, 4.0)


def test_a_figure_that_the_base_does_not_have_has_no_ratio() -> None:
    runs = [_run("postfix", 0, 100), _run("ours", 0, 200)]
    assert "CPU s/1000" not in ratios(runs, "postfix", "ours", "4k:20:conn")


def test_losses_of_all_rounds_are_summed_not_averaged() -> None:
    runs = [_run("postfix", 0, 100), _run("postfix", 1, 100, lost=1), _run("postfix", 2, 100)]
    assert figures_table(runs).splitlines()[-1].endswith("| 1 | 0 |")


def test_tables_are_markdown_with_a_cell_for_each_column() -> None:
    runs = [_run("postfix", 0, 100), _run("ours", 0, 200)]
    for table in (figures_table(runs), ratios_table(runs)):
        assert len({row.count("|") for row in table.splitlines()}) == 1
