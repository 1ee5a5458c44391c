"""What a masked copy has of rooms and stays: no owner's token, and other names for guests' visits and bookings."""

from tenants.personal_data import declare_columns, mask_secret, mask_text, mask_token, omit_rows

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
# They would tell real systems of invented guests.
omit_rows("locks_webhook", "locks_webhookdelivery")
