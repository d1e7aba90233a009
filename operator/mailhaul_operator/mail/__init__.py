"""Commands on the mail of running relays: `queue`, `trace`, `suppression`; by HTTP, or by a cluster's API server."""
