"""What goes next: which accepted message is tried when, at which upstream, and what its outcome changes."""
