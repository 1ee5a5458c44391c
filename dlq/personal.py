"""What a masked copy has of failures: which they are, never what they were about. None of them is tried again."""

from tenants.personal import declare, document, words


def _at_rest(status: str) -> str:
    return f"CASE WHEN {status} IN ('scheduled', 'retrying') THEN 'permanent' ELSE {status} END"


declare(
    "dlq_failure",
    masked={
        "payload": document,
        "error_message": words,
        "error_sentence": document,
        "traceback": words,
        "discard_reason": words,
        "status": _at_rest,
    },
    kept=("kind", "source", "name", "error_type", "fingerprint"),
)
declare(
    "dlq_attempt",
    masked={"error_message": words, "error_sentence": document, "traceback": words},
    kept=("outcome", "error_type"),
)
