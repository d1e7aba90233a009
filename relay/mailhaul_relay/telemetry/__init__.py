"""Log lines and metrics: what the relay tells of itself while it works."""
