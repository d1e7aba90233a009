"""`up` runs exactly the relays that are planned, hands them changes through their mounts, and leaves nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailhaul_contract.names import CONFIG_FILE, SECRET_API_TOKEN
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.planning import Planned, plan_all
from mailhaul_operator.local.ports import Ports
from mailhaul_operator.local.process import Process
from mailhaul_operator.local.state import State, StateInUseError
from mailhaul_operator.local.supervisor import Supervisor
from mailhaul_operator.local.view import Phase
from mailhaul_operator.plan.findings import Reason

RELAY = """
apiVersion: mailhaul.dev/v1alpha1
kind: UpstreamProvider
metadata: {name: inbox, namespace: smtp}
spec: {type: capture}
---
apiVersion: mailhaul.dev/v1alpha1
kind: SmtpRelay
metadata: {name: relay, namespace: smtp}
spec:
  replicas: REPLICAS
  hostname: relay.example.com
  upstreams: [{providerRef: {name: inbox}}]
"""


class FakeRelay:
    """A relay process that runs until it is told to stop."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    def terminate(self) -> None:
        self.returncode = 0
        self._ended.set()

    kill = terminate


class World:
    """A supervisor over fakes in a state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = State.open(directory / "state")
        self.ports = Ports("127.0.0.1", free=lambda *_: True)
        self.commands: list[list[str]] = []
        self.told: list[str] = []
        self.supervisor = Supervisor(self.state, self.ports, "127.0.0.1", self.told.append, self._start)

    async def _start(self, command: Sequence[str], _log: Path) -> Process:
        self.commands.append(list(command))
        return FakeRelay(1000 + len(self.commands))

    def plan(self, text: str) -> Planned:
        (self.directory / "resources.yaml").write_text(text)
        resources = load(Source((self.directory / "resources.yaml",))).resources
        return plan_all(resources, self.ports, self.supervisor.existing)

    async def apply(self, text: str) -> Planned:
        planned = self.plan(text)
        await self.supervisor.apply(planned.plans)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return planned

    @property
    def place(self) -> Path:
        return self.directory / "state" / "relays" / "smtp" / "relay"

    def config(self) -> dict[str, Any]:
        """What the relay reads."""
        read: dict[str, Any] = json.loads(Path(self.option("--config")).read_bytes())
        return read

    def option(self, name: str) -> str:
        command = self.commands[-1]
        return command[command.index(name) + 1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.supervisor.stop()
    made.state.close()


ONE = RELAY.replace("REPLICAS", "1")


async def test_a_planned_relay_is_started_with_its_mounts(world: World) -> None:
    await world.apply(ONE)
    assert world.option("--config") == str(world.place / "config" / CONFIG_FILE)
    assert world.option("--secrets") == str(world.place / "secrets")
    assert world.option("--http-bind") == "127.0.0.1:9090"
    assert "--open-inbox" in world.commands[0]
    config = world.config()
    assert config["listeners"] == [{"name": "smtp", "port": 2525}]
    assert config["secretRevision"] == (world.place / "secrets" / "revision").read_text()


async def test_no_secret_is_on_the_command_line(world: World) -> None:
    await world.apply(ONE)
    token = (world.place / "secrets" / SECRET_API_TOKEN).read_text()
    assert len(token) >= 24
    assert not [word for word in world.commands[0] if token in word]


async def test_a_change_reaches_the_mount_and_starts_nothing_anew(world: World) -> None:
    await world.apply(ONE)
    await world.apply(ONE.replace("relay.example.com", "other.example.com"))
    assert len(world.commands) == 1
    assert world.config()["hostname"] == "other.example.com"


async def test_an_equal_plan_changes_no_byte(world: World) -> None:
    await world.apply(ONE)
    before = (world.place / "config" / "..data").readlink()
    await world.apply(ONE)
    assert (world.place / "config" / "..data").readlink() == before


async def test_a_relay_that_went_from_the_files_stops_and_keeps_its_queue(world: World) -> None:
    await world.apply(ONE)
    (world.place / "spool").mkdir()
    await world.apply(ONE.replace("name: relay,", "name: another,"))
    assert len(world.commands) == 2
    assert (world.place / "spool").is_dir()
    assert any("smtp/relay: stops" in line for line in world.told)


async def test_a_plan_without_a_configuration_keeps_the_last_good_one(world: World) -> None:
    await world.apply(ONE)
    broken = "  listeners: [{name: s, port: 587, tls: {mode: StartTLS, secretRef: {name: none}}}]\n"
    await world.apply(ONE + broken)
    assert world.config()["listeners"] == [{"name": "smtp", "port": 2525}]
    assert world.told[-1] == "smtp/relay: keeps its last good configuration"


async def test_a_relay_accepts_when_this_process_says_so_and_no_other(world: World) -> None:
    await world.apply(ONE)
    ready = {"pid": 1, "listeners": [{"name": "smtp", "host": "127.0.0.1", "port": 2525}]}
    (world.place / "ready.json").write_text(json.dumps(ready))
    assert world.supervisor.views(0)[0].phase is Phase.STARTING
    (world.place / "ready.json").write_text(json.dumps(ready | {"pid": 1001}))
    view = world.supervisor.views(0)[0]
    assert (view.phase, str(view.listeners[0])) == (Phase.ACCEPTING, "127.0.0.1:2525")
    assert view.to_json()["inbox"] == "http://127.0.0.1:9090/inbox"


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1001}', "{"])
async def test_a_broken_ready_file_means_not_yet(world: World, text: str) -> None:
    await world.apply(ONE)
    (world.place / "ready.json").write_text(text)
    assert world.supervisor.views(0)[0].phase is Phase.STARTING


async def test_after_a_stop_no_ready_file_and_no_process_is_left(world: World) -> None:
    await world.apply(ONE)
    (world.place / "ready.json").write_text("{}")
    await world.supervisor.stop()
    assert world.supervisor.views(0) == ()
    assert not (world.place / "ready.json").exists()


async def test_replicas_are_told_to_be_one_process(world: World) -> None:
    planned = world.plan(RELAY.replace("REPLICAS", "3"))
    assert [one.reason for one in planned.findings] == [Reason.ONE_PROCESS]


def test_one_state_directory_has_one_up(tmp_path: Path) -> None:
    first = State.open(tmp_path)
    with pytest.raises(StateInUseError, match="--state-dir"):
        State.open(tmp_path)
    first.close()
    State.open(tmp_path).close()


def test_a_state_directory_is_the_owners_and_is_ignored_by_git(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / ".gitignore").read_text() == "*\n"
    state.close()
