"""Pure: resources and secrets in, relay configuration and findings out."""
