"""Declares which columns of this app are kept or replaced in a masked backup, which contains no personal data.

Tokens and references are replaced.
"""

from tenants.personal_data import declare_columns, mask_secret, mask_text, mask_token, omit_rows
from tenants.tracked_rows import declare_tracked_rows

declare_columns("locks_room", kept=("number", "room_type"))
declare_columns(
    "locks_allocation",
    masked={"token_digest": mask_secret, "session": mask_token, "reference": mask_token, "reason": mask_text},
    kept=("status", "holder"),
)
declare_columns(
    "locks_waitinglistentry",
    masked={"session": mask_token, "reference": mask_token},
    kept=("room_type", "status", "holder"),
)
# If a masked backup contained webhooks, the restored hotel would send events about masked data to real systems.
omit_rows("locks_webhook", "locks_webhookdelivery")
# The URL of a webhook is secret, because the URLs of many systems contain a token.
# The audit trail does not record the state of a webhook's deliveries, because this state changes often.
declare_tracked_rows(
    "locks_webhook",
    kind="webhook",
    plain=("events", "previous_secret_expires_at", "active", "created_at"),
    secret=("url", "encrypted_secret", "encrypted_previous_secret"),
    ignored=("failing_since", "backoff_until"),
)
