"""Commands on running relays: `queue`, `trace`, `suppression`, `replies`; by HTTP, or by a cluster's API server."""
