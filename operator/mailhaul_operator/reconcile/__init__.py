"""One pass for one resource, and the queue that says which is next."""
