"""The node as a pod sees it is found in the route tables, whatever they hold."""

from pathlib import Path

import pytest

from mailhaul_relay.app.gateways import gateways

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT = "eth0\t00000000\t0100F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
LINK = "eth0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
SIX = f"{'0' * 32} 00 {'0' * 32} 00 fd00{'0' * 27}1 00000400 00000002 00000000 00000003     eth0\n"
SIX_LINK = f"fd00{'0' * 28} 40 {'0' * 32} 00 {'0' * 32} 00000100 00000001 00000000 00000001     eth0\n"


def test_next_hops_of_both_families_are_given_and_links_are_not(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(HEAD + DEFAULT + LINK)
    (tmp_path / "ipv6_route").write_text(SIX + SIX_LINK)
    assert gateways(tmp_path) == {"10.244.0.1", "fd00::1"}


@pytest.mark.parametrize("text", ["", "\n", "eth0\n", "a b c d e f\n", "eth0 0 XYZ 0003\n", "é\n"])
def test_a_table_that_cannot_be_understood_has_no_next_hops(tmp_path: Path, text: str) -> None:
    (tmp_path / "route").write_text(text, encoding="utf-8")
    (tmp_path / "ipv6_route").write_text(text, encoding="utf-8")
    assert gateways(tmp_path) == frozenset()


def test_a_host_without_tables_has_no_next_hops(tmp_path: Path) -> None:
    assert gateways(tmp_path) == frozenset()
