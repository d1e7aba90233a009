"""`python -m bench`: compare the relay with Debian's Postfix on this machine; `make bench` calls it. See README.md.

Exit code 0 when nothing was lost, doubled or damaged; 1 when something was; 2 when the comparison could not be made.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.cases import DEFAULT, Case, CaseError, parse_case
from bench.postfix import Postfix, PostfixError
from bench.relay import Relay, RelayError
from bench.rounds import Bench, Run, Target
from bench.table import figures_table, line, ratios, ratios_table
from bench.traffic import Sink, build

WORK = Path("bench-work")
TARGETS = ("postfix", "mailhaul")


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and give the exit code."""
    options = _parser().parse_args(arguments)
    stop_well_on_sigterm()
    try:
        cases = [parse_case(text) for text in options.case or DEFAULT]
        work = options.work.resolve()
        traffic = build(work / "bin")
        with (
            Sink(traffic.sink, free_port_pair()) as sink,
            relays(work, options.target or list(TARGETS), sink.port) as targets,
        ):
            runs = list(measure(Bench(traffic, sink), targets, cases, options.reps))
    except (CaseError, PostfixError, RelayError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    text = f"{figures_table(runs)}\n"
    if len(targets) > 1:
        text += f"\nRatios to {targets[0].name}, medians of the rounds (least to greatest)\n\n{ratios_table(runs)}\n"
    sys.stdout.write(f"\n{text}")
    result = options.work / "result.json"
    result.write_text(json.dumps(_result(runs, targets, text), indent=1), encoding="utf-8")
    sys.stderr.write(f"\nbench: every run is in {result}\n")
    return int(any(run.lost or run.duplicates or run.damaged or run.failed for run in runs))


def measure(bench: Bench, targets: list[Target], cases: list[Case], rounds: int) -> Iterator[Run]:
    """Give the runs of all cases, and tell each on standard error as it ends."""
    for target in targets:
        bench.warm_up(target)
    for case in cases:
        yield from bench.rounds(targets, case, rounds, _show)


def stop_well_on_sigterm() -> None:
    """Let SIGTERM unwind as Ctrl-C does, so that what was started is stopped."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _show(run: Run) -> None:
    sys.stderr.write(f"{line(run)}\n")


@contextmanager
def relays(work: Path, names: list[str], upstream: int) -> Iterator[list[Target]]:
    """Start the named relays, which deliver to port `upstream`, in a folder; stop them at the end."""
    with ExitStack() as stack:
        targets = []
        for name in names:
            sys.stderr.write(f"bench: starting {name}\n")
            kind = Postfix if name == "postfix" else Relay
            relay: Postfix | Relay = kind(work / name, free_port_pair(), upstream)
            stack.callback(relay.stop)
            targets.append(relay.target)
        yield targets


def free_port_pair() -> int:
    """Give a free port of loopback whose successor is free too (the reference tool's sink wants both).

    Below the range from which connections get their own ports: a load of thousands of them would take one of the two.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
                return port
        except OSError:
            continue


def _result(runs: list[Run], targets: list[Target], text: str) -> dict[str, Any]:
    base, *others = [target.name for target in targets]
    cases = list(dict.fromkeys(run.case for run in runs))
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cores": os.cpu_count(), "kernel": os.uname().release, "python": sys.version.split()[0]},
        "ratios": {other: {case: ratios(runs, base, other, case) for case in cases} for other in others},
        "runs": [run.to_json() for run in runs],
        "table": text,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare the relay with Debian's Postfix.")
    parser.add_argument(
        "--case", action="append", metavar="SIZE:SESSIONS:MODE[:COUNT]", help=f"default: {' '.join(DEFAULT)}"
    )
    parser.add_argument("--reps", type=int, default=5, help="rounds of each case (default: %(default)s)")
    parser.add_argument(
        "--target", action="append", choices=TARGETS, help="default: both; the first is the base of ratios"
    )
    parser.add_argument(
        "--work", type=Path, default=WORK, help="folder for queues, logs and result.json (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
