"""Declaration of the columns that contain guests' personal data.

A masked copy of a hotel's data contains replacement values in these columns. An e-mail address gets the same
replacement in all tables.
"""

from tenants.personal_data import (
    declare_columns,
    declare_people,
    mask_email,
    mask_json,
    mask_name,
    mask_phone,
    mask_token,
    omit_rows,
)
from tenants.tracked_rows import declare_tracked_rows

declare_columns(
    "reminders_reservation",
    masked={
        "external_id": mask_token,
        "guest_name": mask_name,
        "guest_email": mask_email,
        "guest_phone": mask_phone,
        "calendar_uid": mask_token,
    },
    kept=(
        "status",
        "language",
        "country",
        "room_type",
        "assigned_room_type",
        "additional_room_types",
        "source",
        "calendar_digest",
    ),
)
declare_columns(
    "reminders_reminder",
    masked={"recipient": mask_email, "last_error": mask_json},
    kept=("status", "skip_reason"),
)
declare_columns("reminders_suppression", masked={"email": mask_email}, kept=("reason",))
# The tables of rules, templates and branding contain no personal data, so their columns are copied unchanged.
declare_columns("reminders_rule", kept=("name", "anchor", "late_policy", "room_types", "sources", "guests"))
declare_columns("reminders_template", kept=("language", "subject", "html", "text"))
declare_columns("reminders_emailbranding", kept=("colour", "logo", "logo_type", "logo_digest"))
declare_columns("reminders_setupprogress", kept=("confirmed_steps", "skipped_steps"))
# Masked copies omit linked calendars, because a linked calendar would import bookings of real guests.
omit_rows("reminders_linkedcalendar")
# Masked copies omit uploaded files, because the files contain guests' personal data.
omit_rows("reminders_fileimport")
declare_people("reminders_reservation", "reminders_reminder", "reminders_suppression")
declare_tracked_rows(
    "reminders_rule",
    kind="rule",
    plain=(
        "name",
        "is_active",
        "anchor",
        "offset_days",
        "offset_hours",
        "send_at",
        "window_hours",
        "late_policy",
        "room_types",
        "sources",
        "min_nights",
        "max_nights",
        "guests",
        "order",
        "daily_limit",
        "revision",
    ),
)
declare_tracked_rows(
    "reminders_template",
    kind="template",
    plain=("rule_id", "language", "subject", "html", "text", "revision"),
)
