"""The conventions of the REST API: base classes, errors, pagination, rate limits, idempotency and documentation."""
