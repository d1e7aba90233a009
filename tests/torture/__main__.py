"""`python -m tests.torture --host HOST --port PORT`: RFC torture for any SMTP server, from outside.

The server must take mail from this client for any recipient of `--domain`. With `--sink-port` this program listens
there on loopback, and the server must send on to it: then what arrives is judged, too. Ends with 1 when a verdict
failed. The password of `--user` is read from the environment variable MAILHAUL_TORTURE_PASSWORD.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path

from tests.torture.cases import read_cases
from tests.torture.client import Complaint
from tests.torture.judge import FAIL, Verdict
from tests.torture.play import DOMAIN, SENDER, Target
from tests.torture.run import excused, run
from tests.torture.sink import Sink


def main() -> int:
    """Read the arguments, run, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description="RFC torture for an SMTP server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", action="store_true", help="the port speaks TLS from the first octet")
    parser.add_argument("--sink-port", type=int, help="listen here for what the server sends on")
    parser.add_argument("--sender", default=SENDER, help="an envelope sender and From that the server takes")
    parser.add_argument("--domain", default=DOMAIN, help="the domain of the recipients")
    parser.add_argument("--user", default="", help="an account, for the AUTH cases")
    parser.add_argument("--only", default="*", help="a pattern of case names")
    parser.add_argument("--deviations", type=Path, help="a TOML file of known deviations")
    parser.add_argument("--json", action="store_true", help="print every verdict as JSON")
    given = parser.parse_args()
    try:
        verdicts = asyncio.run(_run(given))
    except Complaint as error:
        print(f"mailhaul torture: {given.host}:{given.port}: {error}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(one) for one in verdicts], indent=1) if given.json else told(verdicts))
    return int(any(one.result == FAIL for one in verdicts))


async def _run(given: argparse.Namespace) -> list[Verdict]:
    cases = [one for one in read_cases() if fnmatchcase(one.name, given.only)]
    password = os.environ.get("MAILHAUL_TORTURE_PASSWORD", "")
    target = Target(given.host, given.port, given.sender, given.domain, given.user, password, tls=given.tls)
    if given.sink_port is None:
        verdicts = await run(cases, target, None)
    else:
        async with Sink(given.sink_port) as sink:
            verdicts = await run(cases, target, sink)
    return excused(verdicts, given.deviations) if given.deviations else verdicts


def told(verdicts: Sequence[Verdict]) -> str:
    """Give the verdicts that are no pass, and the counts, as text."""
    lines = [f"{one.result:9} {one.level:6} {one.name}: {one.reason} ({one.rule})" for one in verdicts if one.reason]
    counts = Counter(one.result for one in verdicts)
    return "\n".join([*lines, f"{len(verdicts)} verdicts: " + ", ".join(f"{n} {what}" for what, n in counts.items())])


if __name__ == "__main__":
    sys.exit(main())
