"""Masking of failures in a masked backup (a backup without personal data).

The backup contains the kind, name and error type of each failure, but not its payload and messages.
"""

from tenants.personal_data import declare_columns, mask_json, mask_secret, mask_text, mask_token, omit_rows


def _mask_live_status(status: str) -> str:
    """Return SQL that makes scheduled and retrying failures permanent, so that a restored copy does not retry them."""
    return f"CASE WHEN {status} IN ('scheduled', 'retrying') THEN 'permanent' ELSE {status} END"


declare_columns(
    "dlq_failure",
    masked={
        "payload": mask_json,
        "work_key": mask_token,
        "ordering_key": mask_token,
        "original": mask_secret,
        "secrets": mask_secret,
        "corrected_payload": mask_json,
        "corrected_secrets": mask_secret,
        "error_message": mask_text,
        "translatable_message": mask_json,
        "discard_reason": mask_text,
        "status": _mask_live_status,
    },
    kept=(
        "is_task",
        "source",
        "name",
        "original_type",
        "error_type",
        "fingerprint",
        "task_id",
        "request_id",
        "redrive_result",
        "redrive_was",
    ),
)
declare_columns(
    "dlq_attempt",
    masked={"error_message": mask_text, "translatable_message": mask_json},
    kept=("outcome", "error_type", "fingerprint", "worker", "code_version"),
)
declare_columns(
    "dlq_failuregroup",
    masked={
        "error_message": mask_text,
        "translatable_message": mask_json,
        "traceback": mask_text,
        "note": mask_text,
        "splits": lambda _column: "NULL::jsonb",
    },
    kept=(
        "fingerprint",
        "name",
        "error_type",
        "location",
        "versions",
        "regressed_version",
        "joined_to",
        "split_from",
        "daily_counts",
    ),
)
declare_columns(
    "dlq_failuresettings",
    masked={"alert_recipients": lambda _column: "'{}'::varchar[]"},
    kept=("paused_kinds",),
)
declare_columns("dlq_cleanupprogress", kept=("remaining",))
# A masked backup omits redrive jobs, because their filters can contain personal data.
# If a redrive job were copied, the redrive could continue in the copy of the hotel.
omit_rows("dlq_redrive")
