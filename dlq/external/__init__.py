"""The REST interface for other systems, which report their failed messages and process these messages again."""
