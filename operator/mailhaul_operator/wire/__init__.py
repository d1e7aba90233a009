"""What goes over the wire, as values: kinds of the API and their paths, refusals, requests to pods."""
