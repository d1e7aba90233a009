"""Configuration and secrets from mounted files, followed while the relay runs."""
