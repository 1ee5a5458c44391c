"""What a masked copy has of guests: nobody. The same address has the same mask in all three tables."""

from tenants.personal import declare, document, email, leave_empty, name, phone, token

declare(
    "reminders_reservation",
    masked={"external_id": token, "guest_name": name, "guest_email": email, "guest_phone": phone},
    kept=("status", "language", "country", "room_type", "assigned_room_type", "source"),
)
declare(
    "reminders_reminder",
    masked={"recipient": email, "last_error": document},
    kept=("status", "skip_reason"),
)
declare("reminders_suppression", masked={"email": email}, kept=("reason",))
# The hotel's own words and looks, which its guests are sent.
declare("reminders_rule", kept=("name", "anchor", "late_policy", "room_types", "sources", "guests"))
declare("reminders_template", kept=("language", "subject", "html", "text"))
declare("reminders_brand", kept=("colour", "logo", "logo_type", "logo_digest"))
# It would read real guests' bookings into the copy.
leave_empty("reminders_calendaraddress")
