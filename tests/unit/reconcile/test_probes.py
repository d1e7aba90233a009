"""Orders for probes: one while its answer may come, but another at once when the settings have changed meanwhile."""

from tests.golden.assess.worlds import T0, provider_view

from mailhaul_operator.assess.probing import PATIENCE
from mailhaul_operator.reconcile.memory import Memory
from mailhaul_operator.reconcile.probes import Probes
from mailhaul_operator.wire.key import Key

MAIN = Key("UpstreamProvider", "smtp", "main")
AT_ONCE = 1.0


async def test_an_order_for_other_settings_is_no_reason_to_wait_with_these() -> None:
    probes = Probes(Memory())
    assert await probes.order(MAIN, provider_view({}, T0, None)) == AT_ONCE
    assert await probes.order(MAIN, provider_view({}, T0 + 5, None)) == PATIENCE - 5
    assert await probes.order(MAIN, provider_view({"generation": 2}, T0 + 6, None)) == AT_ONCE
    rotated = {"generation": 2, "usedBy": [{"revision": "r2", "pods": [{}]}]}
    assert await probes.order(MAIN, provider_view(rotated, T0 + 7, None)) == AT_ONCE
    assert await probes.order(MAIN, provider_view(rotated, T0 + 8, None)) == PATIENCE - 1
