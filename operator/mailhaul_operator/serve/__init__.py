"""The running operator: settings, lease, kopf, health and metrics, put together here."""
