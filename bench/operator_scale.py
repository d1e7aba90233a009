"""How long an operator takes from its start until everything is current, how fast one change among it all is live, and
what memory it needs: with 1000 relays and 5000 aliases at a real API server.

`python -m bench.operator_scale --kubeconfig FILE`, at a cluster whose other relays nobody needs, for it serves all
namespaces. Relays have `replicas: 0`, so no pods are needed. It makes namespaces of its own, and deletes them at the
end. Prints one table; exit code 1 when a figure is over its bound, 2 when nothing could be measured.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.operator_process import Running, operator

from mailhaul_contract.names import API_VERSION
from mailhaul_operator.effects.api import Api
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.refused import Refused

NAMESPACES = 10
AT_ONCE = 20
PATIENCE = 600.0
MB = 1e6 / 2**20
"""In MiB."""
Body = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value and its bound, in a unit."""

    name: str
    value: float
    bound: float
    unit: str

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.bound else "OVER"
        return f"| {self.name} | {self.value:.1f} {self.unit} | {self.bound:.4g} {self.unit} | {verdict} |"

    @staticmethod
    def table(figures: "Sequence[Figure]") -> int:
        """Print them; gives the exit code."""
        sys.stdout.write("| what | measured | bound | |\n|---|---|---|---|\n" + "".join(f"{one}\n" for one in figures))
        return 0 if all(one.value <= one.bound for one in figures) else 1


@dataclass(frozen=True)
class Size:
    """How many resources."""

    relays: int
    aliases: int


def resources(size: Size) -> list[Body]:
    """Namespaces, a capture provider in each, relays and aliases, spread evenly."""
    spaces = [f"scale-{number}" for number in range(NAMESPACES)]
    made: list[Body] = []
    for space in spaces:
        made.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        made.append(_ours("UpstreamProvider", space, "inbox", {"type": "capture"}))
    made += [_ours("SmtpRelay", spaces[one % NAMESPACES], f"relay-{one}", _relay(one)) for one in range(size.relays)]
    owners = [number % size.relays for number in range(size.aliases)]
    return made + [
        _ours("MailAlias", spaces[owner % NAMESPACES], f"alias-{number}", _alias(number, owner))
        for number, owner in enumerate(owners)
    ]


def _relay(number: int) -> Body:
    domains = [{"name": f"d{number}.example.com"}]
    return {"replicas": 0, "upstreams": [{"providerRef": {"name": "inbox"}}], "aliases": {"domains": domains}}


def _alias(number: int, owner: int) -> Body:
    return {
        "relayRef": {"name": f"relay-{owner}"},
        "addresses": [{"value": f"a{number}@d{owner}.example.com"}],
        "destinations": [{"name": "one", "mailbox": {"address": f"box{number}@example.net"}}],
    }


def _ours(kind: str, namespace: str, name: str, spec: Body) -> Body:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


async def apply_all(api: Api, bodies: Sequence[Body]) -> None:
    """Apply many at once; the first refusal ends the measurement."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(body: Body) -> None:
        async with gate:
            answer = await api.apply(body)
        if isinstance(answer, Refused):
            raise SystemExit(f"bench: {body['kind']} {body['metadata']['name']}: {answer.message}")

    await asyncio.gather(*map(one, bodies))


async def until(holds: Callable[[], Awaitable[bool]], interval: float) -> float:
    """Wait until something holds; the seconds that it took."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(f"bench: not so after {PATIENCE:.0f} s")
        await asyncio.sleep(interval)
    return time.monotonic() - began


class AllCurrent:
    """Whether each of these resources was assessed at its generation, and `since` when that is known, by the clock of
    `time.monotonic`.

    The API server is asked only once each has had a pass and nothing waits in the operator, for lists of it all take
    time of both. The pages of a list are all of the moment at which its first one was asked for.
    """

    def __init__(self, api: Api, running: Running, resources: int) -> None:
        self._api, self._running, self._resources = api, running, resources
        self.since = 0.0

    async def __call__(self) -> bool:
        """Look once."""
        told = await self._running.told()
        if told.waiting or sum(told.passes.values()) < self._resources:
            return False
        for kind in (KINDS["SmtpRelay"], KINDS["MailAlias"]):
            self.since = time.monotonic()
            found = await self._api.list_all(kind)
            if isinstance(found, Refused) or not all(map(_current, found)):
                return False
        return True


def _current(body: Body) -> bool:
    told = body.get("status") or {}
    return bool(told.get("observedGeneration") == body["metadata"]["generation"] and told.get("conditions"))


async def one_change(api: Api) -> float:
    """Seconds until a relay's new host name is in its ConfigMap."""
    await api.patch(
        KINDS["SmtpRelay"], ("scale-7", "relay-7"), {"spec": {"hostname": f"changed-{time.time_ns()}.example.com"}}
    )
    wanted = await api.get(KINDS["SmtpRelay"], "scale-7", "relay-7")
    assert not isinstance(wanted, Refused)
    hostname = wanted["spec"]["hostname"]

    async def holds() -> bool:
        found = await api.get(KINDS["ConfigMap"], "scale-7", "relay-7-mailhaul")
        return not isinstance(found, Refused) and hostname in found["data"]["relay.v1.json"]

    return await until(holds, 0.02)


async def measure(chosen: argparse.Namespace) -> list[Figure]:
    """The whole measurement."""
    size = Size(chosen.relays, chosen.aliases)
    api = await Api.open(chosen.kubeconfig)
    try:
        async with operator(arguments(chosen)) as idle:
            await asyncio.sleep(15)
            figures = [Figure("memory with no resources, idle", idle.memory(), 90 * MB, "MiB")]
        _say(f"applying {size.relays} relays and {size.aliases} aliases")
        bodies = resources(size)
        await make(api, bodies)
        ours = len(bodies) - NAMESPACES
        async with operator(arguments(chosen)) as first:
            figures += await _first_start(api, first, ours)
        async with operator(arguments(chosen)) as second:
            figures += await _restart(second, ours)
        return figures
    finally:
        await delete_all(api)
        await api.close()


async def make(api: Api, bodies: Sequence[Body]) -> None:
    """Apply resources, their namespaces first."""
    spaces = [body for body in bodies if body["kind"] == "Namespace"]
    await apply_all(api, spaces)
    await apply_all(api, [body for body in bodies if body["kind"] != "Namespace"])


async def delete_all(api: Api) -> None:
    """Delete the namespaces with all that is in them; nobody waits for it."""
    for number in range(NAMESPACES):
        await api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"scale-{number}"}})


def arguments(chosen: argparse.Namespace) -> list[str]:
    """Give what the operator is started with."""
    return [f"--kubeconfig={chosen.kubeconfig}", f"--image={chosen.image}", "--lease-namespace=default"]


async def _first_start(api: Api, running: Running, resources: int) -> list[Figure]:
    """Everything is to be made; a change is made while the backlog is long, and more once all is quiet."""
    began, current = time.monotonic(), AllCurrent(api, running, resources)
    overtaking = asyncio.create_task(_in_the_crowd(api, running))
    await until(current, 1)
    figures = [
        Figure("start to all current, nothing made before", current.since - began, 60, "s"),
        Figure("CPU of the operator until then", running.cpu(), 35, "s"),
        Figure("memory then", running.memory(), 200 * MB, "MiB"),
        Figure("one change live in the middle of that start", await overtaking, 2, "s"),
    ]
    await asyncio.sleep(15)
    changes = [await one_change(api) for _ in range(5)]
    figures.append(Figure("one change among them live (slowest of 5)", max(changes), 2, "s"))
    before, spent = await running.told(), running.cpu()
    await asyncio.sleep(30)
    after = await running.told()
    _say(f"requests of the first start: {_by_verb(after.requests)}; passes: {dict(after.passes)}")
    return [
        *figures,
        Figure("memory after", running.memory(), 200 * MB, "MiB"),
        Figure("writes in 30 quiet seconds", after.writes - before.writes, 0, ""),
        Figure("CPU in 30 quiet seconds, share of a core", (running.cpu() - spent) / 30 * 100, 10, "%"),
    ]


async def _in_the_crowd(api: Api, running: Running) -> float:
    """Change a relay once a tenth of the relays has had a pass."""
    await until(lambda: _has_begun(running), 0.2)
    return await one_change(api)


async def _has_begun(running: Running) -> bool:
    return (await running.told()).passes.get("SmtpRelay", 0) > 100


async def _restart(running: Running, resources: int) -> list[Figure]:
    """Everything is as it should be."""

    async def quiet() -> bool:
        told = await running.told()
        return sum(told.passes.values()) >= resources and told.waiting == 0

    took = await until(quiet, 0.5)
    await asyncio.sleep(5)
    told = await running.told()
    _say(f"requests of the restart: {_by_verb(told.requests)}; passes: {dict(told.passes)}")
    return [
        Figure("restart to quiet, all made before", took, 30, "s"),
        Figure("CPU of the operator until then", running.cpu(), 25, "s"),
        Figure("writes of the restart", told.writes, 0, ""),
        Figure("memory of the restarted", running.memory(), 200 * MB, "MiB"),
    ]


def _by_verb(requests: Mapping[tuple[str, str], int]) -> str:
    return ", ".join(f"{verb} {kind} {count}" for (verb, kind), count in sorted(requests.items()))


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def options(description: str, relays: int, aliases: int) -> argparse.Namespace:
    """Give the arguments of the command; these numbers are the defaults."""
    parser = argparse.ArgumentParser(description=description)
    known = os.environ.get("KUBECONFIG", "")
    parser.add_argument("--kubeconfig", type=Path, default=known or None, required=not known, metavar="FILE")
    parser.add_argument("--image", default="mailhaul-relay:bench", help="of relays, which have no pods here")
    parser.add_argument("--relays", type=int, default=relays)
    parser.add_argument("--aliases", type=int, default=aliases)
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = options(__doc__ or "", relays=1000, aliases=5000)
    return Figure.table(asyncio.run(measure(chosen)))


if __name__ == "__main__":
    sys.exit(main())
