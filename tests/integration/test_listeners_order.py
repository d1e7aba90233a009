"""The relay's listeners stand in the order of the configuration, whichever of them a reload opened anew."""

from collections.abc import Callable

import pytest
from tests.support.listening import Bench, running_of

from mailhaul_relay.app.listeners import Listeners
from mailhaul_relay.policy.running import Running

pytestmark = pytest.mark.integration


def _with(first: str, ports: list[int]) -> Running:
    names = [{"name": "smtp", "port": ports[0], "lineEndings": first}, {"name": "submission", "port": ports[1]}]
    return running_of({"listeners": names})


async def test_a_listener_that_is_opened_anew_keeps_its_place(free_ports: Callable[[int], list[int]]) -> None:
    ports = free_ports(2)
    listeners = Listeners("127.0.0.1", Bench().services)
    for line_endings in ("Strict", "Normalise"):
        assert await listeners.apply(_with(line_endings, ports)) == ()
        assert [one.name for one in listeners.reports()] == ["smtp", "submission"]
        assert listeners.first
        assert listeners.first.port == ports[0]
    await listeners.stop(1)
