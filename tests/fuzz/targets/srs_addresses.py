"""Sender rewriting: every rewritten sender leads back, and no address leads anywhere that we did not sign."""

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_relay.policy.srs import SrsRewriter

LONGEST = 300
WORDS = (b"SRS0=", b"SRS1=", b"SRS0+", b"srs1-", b"=AA=", b"@own.example", b"@b.example", b'"a b"', b"==", b"+", b"-")
_NOW = 1_700_000_000.0
_DAY = 86_400
_OURS = SrsRewriter((b"first secret", b"second secret"), "own.example")
_OLD = SrsRewriter((b"second secret",), "own.example")
_OTHERS = SrsRewriter((b"their secret",), "other.example")


def check(data: bytes) -> None:
    """Take the octets for a sender, and for an address that a stranger tries."""
    text = data.decode("utf-8", "replace")
    try:
        address = Address.parse(text)
    except AddressError:
        assert _OURS.forward(text, _NOW) == text
        return
    _check_leads_back(_OURS, address)
    _check_leads_back(_OLD, address)
    foreign = _OTHERS.forward(str(address), _NOW)
    _check_leads_back(_OURS, Address.parse(foreign))
    local = Address(address.local, "own.example")
    assert _OURS.reverse(local, _NOW) is None, "an address leads somewhere that nobody signed"


def _check_leads_back(signer: SrsRewriter, address: Address) -> None:
    signed = signer.forward(str(address), _NOW)
    if signed == str(address):
        return
    ours = Address.parse(signed)
    assert ours.domain == "own.example"
    behind = _OURS.reverse(ours, _NOW + 20 * _DAY)
    assert behind is not None, "a bounce finds no way back"
    if ours.local.upper().startswith("SRS0"):
        assert behind == str(address), "a bounce goes to somebody else"
        assert _OURS.reverse(ours, _NOW + 23 * _DAY) is None, "it holds for ever"
    else:
        assert behind.upper().startswith(("SRS0", '"SRS0')), "a bounce does not go to the first relay"
    broken = Address(ours.local[:5] + ("a" if ours.local[5:6] not in {"a", "A"} else "b") + ours.local[6:], ours.domain)
    assert _OURS.reverse(broken, _NOW) is None, "a forged address is taken"
