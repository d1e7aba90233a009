"""Health, metrics, report, queue commands and the capture inbox, over HTTP on port 9090."""
