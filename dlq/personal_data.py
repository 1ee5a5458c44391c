"""Masking of failures in a masked backup (a backup without personal data).

The backup contains the kind, name and error type of each failure, but not its payload and messages.
"""

from tenants.personal_data import declare_columns, mask_json, mask_text


def _mask_live_status(status: str) -> str:
    """Return SQL that makes scheduled and retrying failures permanent, so that a restored copy does not retry them."""
    return f"CASE WHEN {status} IN ('scheduled', 'retrying') THEN 'permanent' ELSE {status} END"


declare_columns(
    "dlq_failure",
    masked={
        "payload": mask_json,
        "error_message": mask_text,
        "translatable_message": mask_json,
        "traceback": mask_text,
        "discard_reason": mask_text,
        "status": _mask_live_status,
    },
    kept=("kind", "source", "name", "error_type", "fingerprint"),
)
declare_columns(
    "dlq_attempt",
    masked={"error_message": mask_text, "translatable_message": mask_json, "traceback": mask_text},
    kept=("outcome", "error_type"),
)
