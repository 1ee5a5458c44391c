"""Payloads of failures: how they are stored, and how a retry gets the same payload again."""

from dlq.payloads.stored import (
    ENCRYPTED_TYPE,
    StoredPayload,
    find_payload_problems,
    hide_values,
    is_exact,
    restore,
    to_stored,
)

__all__ = [
    "ENCRYPTED_TYPE",
    "StoredPayload",
    "find_payload_problems",
    "hide_values",
    "is_exact",
    "restore",
    "to_stored",
]
