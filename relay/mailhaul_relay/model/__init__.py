"""Values that travel through the relay: envelopes, outcomes, secrets. No behaviour that touches the world."""
