"""Changes the world: apply, prune, nudge, status and events. Nothing else writes."""
