"""What a relay runs before it has seen a good configuration: nothing. It has no listener, so it accepts no mail."""

from mailhaul_contract.config import CONTRACT_VERSION, RelayConfig, RelayName
from mailhaul_contract.listening import Listener
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running


def nothing_yet() -> Running:
    """Give the view of no configuration; its digest is empty, and its listener is never opened."""
    config = RelayConfig(
        contract_version=CONTRACT_VERSION,
        relay=RelayName(namespace="unknown", name="unknown"),
        hostname="localhost",
        listeners=(Listener(name="none", port=1),),
    )
    running = compile_running(config, Secrets(), "")
    assert isinstance(running, Running), "an empty configuration compiles"
    return running
