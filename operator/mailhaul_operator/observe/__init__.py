"""Reads the world: caches that watches fill, Secrets, and what the pods report."""
