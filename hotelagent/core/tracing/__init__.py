"""Traces by OpenTelemetry: spans of requests, database statements, Celery tasks and e-mails. See README.md."""
