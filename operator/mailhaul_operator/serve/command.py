"""`mailhaul operator ...`: the verb; arguments in, exit code out.

A module of its own, and not one of `cli`, so that the operator does not carry what the other verbs import.
"""

import asyncio

from mailhaul_operator.serve.logs import set_up
from mailhaul_operator.serve.settings import parse


def operator(arguments: list[str]) -> int:
    """Run the operator until it is told to stop."""
    settings = parse(arguments)
    set_up(settings.log_level)
    from mailhaul_operator.serve.running import run  # noqa: PLC0415 - `--help` needs no client and no kopf

    return asyncio.run(run(settings))
