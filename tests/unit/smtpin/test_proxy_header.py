"""The PROXY protocol's header: whatever comes, in whatever pieces, no octet more than the header is taken."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.smtpin.proxy_header import LONGEST_V1, LONGEST_V2, ProxyHeader

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(client: str, further: bytes = b"") -> bytes:
    address = ip_address(client)
    addresses = address.packed * 2 + bytes(4) + further
    family = 0x11 if address.version == 4 else 0x21
    return V2 + bytes([0x21, family]) + len(addresses).to_bytes(2, "big") + addresses


def v1(client: str) -> bytes:
    return f"PROXY TCP{ip_address(client).version} {client} {client} 1 65535\r\n".encode()


def read(octets: bytes, pieces: list[int]) -> tuple[ProxyHeader, int]:
    """Feed a connection's octets as they become visible; gives the header and how many octets it took."""
    header, taken = ProxyHeader(), 0
    for seen in [*sorted(pieces), len(octets)]:
        while taken < seen and not header.complete and not header.fault:
            step = header.take(octets[taken : min(seen, taken + header.wanted)])
            taken += step
            if not step:
                break
    return header, taken


_clients = st.ip_addresses().map(str)
_pieces = st.lists(st.integers(0, 200), max_size=8)


@given(_clients, st.binary(max_size=60), st.booleans(), _pieces)
def test_a_header_is_read_in_any_pieces_and_nothing_behind_it_is_taken(
    client: str, behind: bytes, old: bool, pieces: list[int]
) -> None:
    octets = v1(client) if old else v2(client, b"\x04\x00\x02ab")
    header, taken = read(octets + behind, pieces)
    assert header.complete
    assert header.client == client
    assert taken == len(octets)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", V2, V2 + b"\x21\x11"]), _pieces)
def test_whatever_comes_is_a_header_or_a_fault_and_bounded(octets: bytes, beginning: bytes, pieces: list[int]) -> None:
    header, taken = read(beginning + octets, pieces)
    assert not (header.complete and header.fault)
    assert taken <= max(LONGEST_V1, 16 + LONGEST_V2)
    assert header.wanted <= 16 + LONGEST_V2
    if not header.complete and not header.fault:
        assert taken == len(beginning + octets), "it waits although it has not taken what is there"


@given(_clients, st.integers(0, 200))
def test_a_header_that_is_cut_off_is_not_complete(client: str, at: int) -> None:
    for octets in (v1(client), v2(client)):
        cut = octets[: min(at, len(octets) - 1)]
        assert not read(cut, [])[0].complete
