"""`python -m tests.fuzz.drive TARGET [options and folders of libFuzzer]`: one target under atheris, in this process.

`python -m tests.fuzz.drive TARGET FILE` runs one input again, with atheris or without it. The file of `-dict=` is
written from the target's words. When a rule is broken the input is written to a file beginning with
`-artifact_prefix=`, and the process ends with 77, as libFuzzer does.
"""

import atexit
import hashlib
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.target import Target, load

OURS = ["mailhaul_contract", "mailhaul_relay", "mailhaul_operator"]
BROKEN = 77


def main(arguments: list[str]) -> None:
    """Fuzz, or replay one file."""
    name, *given = arguments
    if len(given) == 1 and Path(given[0]).is_file():
        load(name).check(Path(given[0]).read_bytes())
        print(f"{name}: no rule is broken by {given[0]}")
        return
    import atheris

    # Branches and comparisons of our own code are seen; that of others is no business of these targets.
    with atheris.instrument_imports(include=OURS):
        target = load(name)
    if words := _value(given, "-dict="):
        Path(words).write_text(_dictionary(target.words), encoding="ascii")
    # A merge starts itself again by this, in a shell.
    again = f"{shlex.quote(sys.executable)} -m tests.fuzz.drive {name}"
    atheris.Setup([again, f"-max_len={target.longest}", *given], _told(target, _value(given, "-artifact_prefix=")))
    # libFuzzer's alarm would end the process by a signal while Python leaves.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    atheris.Fuzz()


def _value(given: list[str], option: str) -> str:
    return next((one.removeprefix(option) for one in given if one.startswith(option)), "")


def _dictionary(words: tuple[bytes, ...]) -> str:
    """Give a target's words as libFuzzer reads them."""
    return "".join('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n' for word in words)


def _told(target: Target, prefix: str) -> Callable[[bytes], None]:
    """Keep the input that breaks a rule before anything else: a process on its way out loses it at times."""

    def one(data: bytes) -> None:
        try:
            target.check(data)
        except Exception:  # noqa: BLE001 - every exception of a check is a finding
            traceback.print_exc()
            path = f"{prefix}broke-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
            Path(path).write_bytes(data)
            print(f"{target.name}: a rule is broken by {path}", file=sys.stderr, flush=True)
            os._exit(BROKEN)

    return one


if __name__ == "__main__":
    main(sys.argv[1:])
