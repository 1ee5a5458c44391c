"""The dead-letter queue: every message and task that failed, kept until a retry succeeds or a person discards it."""
