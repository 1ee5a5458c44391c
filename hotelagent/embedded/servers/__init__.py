"""The embedded PostgreSQL and Valkey servers, and the process that keeps them running."""
