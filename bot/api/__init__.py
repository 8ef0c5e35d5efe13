"""The HTTP API under `/v1`, webhooks under `/hooks`, and `/metrics`."""
