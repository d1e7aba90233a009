"""`python -m tests.fuzz`: fuzz all targets, or those that are named, and say what came of each.

`make fuzz` calls it. Ends with 1 when a rule was broken; each input that broke one is kept, with the command that
runs it again. With `--keep` nothing is fuzzed: what is new and reaches new code joins the kept inputs.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.run import Result, keep, run
from tests.fuzz.target import names

_ABSENT = "mailhaul: atheris is not installed; `make fuzz` installs it where it has a wheel (Linux on x86-64, CPython)"


def main() -> int:
    """Read the command line and do it."""
    options = _options()
    wanted = options.targets or names()
    if unknown := sorted(set(wanted) - set(names())):
        print(f"mailhaul: no target is called {unknown[0]}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    if importlib.util.find_spec("atheris") is None:
        print(_ABSENT, file=sys.stderr)
        return 2
    return _keep(wanted, options.work) if options.keep else _fuzz(wanted, options.seconds, options.work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Coverage-guided fuzzing with atheris.")
    parser.add_argument("targets", nargs="*", help="names of targets; all without one")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--work", type=Path, default=Path("fuzz-work"), help="where new inputs and findings go")
    parser.add_argument("--keep", action="store_true", help="add to the kept inputs what reaches new code")
    return parser.parse_args()


def _fuzz(wanted: Sequence[str], seconds: int, work: Path) -> int:
    results = run(wanted, seconds, work, _tell)
    broken = [one.name for one in results if not one.is_clean]
    runs = sum(one.runs for one in results)
    print(f"{len(results)} targets, {runs} runs: " + (f"not clean: {', '.join(broken)}" if broken else "all clean"))
    return 1 if broken else 0


def _tell(result: Result) -> None:
    print(result, flush=True)
    for path in result.found:
        print(f"  again: {sys.executable} -m tests.fuzz.drive {result.name} {path}", flush=True)


def _keep(wanted: Sequence[str], work: Path) -> int:
    for name in wanted:
        before, after = keep(name, work)
        print(f"{name}: {before} inputs were kept, {after} are now", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
