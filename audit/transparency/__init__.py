"""A library for transparency logs: append-only lists of entries whose signed hash covers all entries (RFC 6962)."""
