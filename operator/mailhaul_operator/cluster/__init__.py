"""Commands that speak with a cluster as the person who runs them, also as `kubectl mailhaul`."""
