"""Pure: what is so. The world and the relays' reports in; conditions, numbers and events out."""
