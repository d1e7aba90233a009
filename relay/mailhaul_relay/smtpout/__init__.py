"""A mail leaves: pooled connections to upstreams, and the one classifier of their replies."""
