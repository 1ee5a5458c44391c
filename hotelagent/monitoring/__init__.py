"""Health and readiness probes, and the endpoint for Prometheus."""
