"""What an operator costs while nothing happens and many relays have pods, which it asks for their reports.

`python -m bench.operator_polling --kubeconfig FILE`, at a cluster as for `operator_scale`. The pods are real objects
that no node can take; their status says that they run at 127.7.x.y, where `fake_reports` answers for them. Prints a
table; exit code 1 when a figure is over its bound, 2 when nothing could be measured.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from bench.operator_process import Running, operator
from bench.operator_scale import (
    Body,
    Figure,
    Size,
    arguments,
    delete_all,
    make,
    options,
    resources,
    until,
)

from mailhaul_contract.names import CONFIG_FILE, SECRET_REVISION
from mailhaul_contract.report import RelayReport, UpstreamReport
from mailhaul_operator.effects.api import Api
from mailhaul_operator.plan.naming import SELECTOR
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.refused import Refused

NOWHERE = {"bench.mailhaul.dev/absent": "yes"}
"""A label that no node has."""
MEASURED = 60.0
"""Seconds of the measurement."""
STILL = 30.0
"""Seconds without a write after which everything has been told."""


async def listed(api: Api, kind: str) -> dict[tuple[str, str], Body]:
    """Give the objects of a kind that the operator made, by namespace and name."""
    found = await api.list_all(KINDS[kind], "", SELECTOR)
    if isinstance(found, Refused):
        raise SystemExit(f"bench: {kind}: {found.message}")
    return {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in found}


async def reports(api: Api) -> dict[tuple[str, str], RelayReport]:
    """Give what the pod of each relay reports when all is well."""
    secrets = await listed(api, "Secret")
    told = {}
    for (namespace, name), body in (await listed(api, "ConfigMap")).items():
        content = body["data"][CONFIG_FILE].encode()
        revision = base64.b64decode(secrets[namespace, name]["data"][SECRET_REVISION]).decode()
        relay = name.removesuffix("-mailhaul")
        told[namespace, relay] = RelayReport(
            namespace=namespace,
            name=relay,
            pid=1,
            started=1,
            time=1,
            digest="sha256:" + hashlib.sha256(content).hexdigest(),
            secret_revision=revision,
            accepting=True,
            upstreams=(UpstreamReport(name="inbox", provider="inbox"),),
        )
    return told


async def run_pods(api: Api, addresses: dict[tuple[str, str], str]) -> None:
    """Let the status of every pod say that it runs at its address."""
    gate = asyncio.Semaphore(20)

    async def run(key: tuple[str, str], address: str) -> None:
        namespace, relay = key
        conditions = [{"type": one, "status": "True"} for one in ("Ready", "ContainersReady", "Initialized")]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
        async with gate:
            answer = await api.patch(KINDS["Pod"], (namespace, f"{relay}-0"), {"status": status}, "status")
        if isinstance(answer, Refused):
            raise SystemExit(f"bench: pod {namespace}/{relay}-0: {answer.message}")

    await asyncio.gather(*(run(key, address) for key, address in addresses.items()))


async def fake_pods(stack: AsyncExitStack, told: dict[str, Any]) -> None:
    """Answer at these addresses until the stack is closed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.fake_reports"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    stack.push_async_callback(process.wait)
    stack.callback(process.terminate)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    await process.stdin.drain()
    if not (await process.stdout.readline()).startswith(b"ready"):
        raise SystemExit("bench: the fake pods could not be started")


async def figures(api: Api, running: Running, relays: int, stack: AsyncExitStack) -> list[Figure]:
    """Wait until all relays have pods, let them report, and measure."""

    async def has_pods() -> bool:
        return len(await listed(api, "Pod")) >= relays

    await until(has_pods, 2)
    told = await reports(api)
    addresses = {key: f"127.7.{number // 250}.{number % 250 + 1}" for number, key in enumerate(sorted(told))}
    await fake_pods(
        stack, {address: told[key].model_dump(mode="json", by_alias=True) for key, address in addresses.items()}
    )
    await run_pods(api, addresses)
    await _still(running)
    before, spent = await running.told(), running.cpu()
    await asyncio.sleep(MEASURED)
    after, used = await running.told(), running.cpu() - spent
    passes = after.passes["SmtpRelay"] - before.passes["SmtpRelay"]
    ready = sum(_applied(one) for one in (await _relays(api)))
    return [
        Figure("relays whose configuration is reported as applied, missing", relays - ready, 0, ""),
        Figure("CPU of the operator, share of a core", used / MEASURED * 100, 10, "%"),
        Figure("passes over relays in a second", passes / MEASURED, 30, ""),
        Figure("CPU of such a pass", used / max(1, passes) * 1000, 10, "ms"),
        Figure("writes in that minute", after.writes - before.writes, 0, ""),
        Figure("memory", running.memory(), 200e6 / 2**20, "MiB"),
    ]


async def _still(running: Running) -> None:
    """Wait until nothing is written any more; for ever it is not waited."""
    for _ in range(10):
        before = (await running.told()).writes
        await asyncio.sleep(STILL)
        if (await running.told()).writes == before:
            return


async def _relays(api: Api) -> tuple[Body, ...]:
    found = await api.list_all(KINDS["SmtpRelay"])
    assert not isinstance(found, Refused)
    return found


def _applied(relay: Body) -> bool:
    conditions = (relay.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("ConfigApplied", "True") for one in conditions)


async def measure(chosen: argparse.Namespace) -> list[Figure]:
    """The whole measurement."""
    api = await Api.open(chosen.kubeconfig)
    try:
        bodies = resources(Size(chosen.relays, chosen.aliases))
        for one in bodies:
            if one["kind"] == "SmtpRelay":
                one["spec"] |= {"replicas": 1, "podTemplate": {"nodeSelector": NOWHERE}}
        await make(api, bodies)
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(operator(arguments(chosen)))
            return await figures(api, running, chosen.relays, stack)
    finally:
        await delete_all(api)
        await api.close()


def main() -> int:
    """Measure and print."""
    chosen = options(__doc__ or "", relays=200, aliases=1000)
    return Figure.table(asyncio.run(measure(chosen)))


if __name__ == "__main__":
    sys.exit(main())
