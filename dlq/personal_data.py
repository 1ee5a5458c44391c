"""What a masked copy has of failures: which they are, never what they were about. None of them is tried again."""

from tenants.personal_data import declare_columns, mask_json, mask_text


def _at_rest(status: str) -> str:
    return f"CASE WHEN {status} IN ('scheduled', 'retrying') THEN 'permanent' ELSE {status} END"


declare_columns(
    "dlq_failure",
    masked={
        "payload": mask_json,
        "error_message": mask_text,
        "error_sentence": mask_json,
        "traceback": mask_text,
        "discard_reason": mask_text,
        "status": _at_rest,
    },
    kept=("kind", "source", "name", "error_type", "fingerprint"),
)
declare_columns(
    "dlq_attempt",
    masked={"error_message": mask_text, "error_sentence": mask_json, "traceback": mask_text},
    kept=("outcome", "error_type"),
)
