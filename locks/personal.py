"""What a masked copy has of rooms and stays: no owner's token, and other names for guests' visits and bookings."""

from tenants.personal import declare, leave_empty, secret, token, words

declare("locks_room", kept=("number", "room_type"))
declare(
    "locks_allocation",
    masked={"token_digest": secret, "session": token, "reference": token, "reason": words},
    kept=("status", "holder"),
)
declare(
    "locks_waitingentry",
    masked={"session": token, "reference": token},
    kept=("room_type", "status", "holder"),
)
# They would tell real systems of invented guests.
leave_empty("locks_webhook", "locks_webhookdelivery")
