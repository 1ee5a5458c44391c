"""End-to-end tests: what people and other systems do, against a running server."""
