"""The database functions of holds, webhook deliveries and the waiting list, and the triggers of webhooks."""

from django.db import migrations

from audit.row_changes.triggers import track_rows
from tenants.database.function_migrations import InstallFunctions


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("locks", "0001_initial"),
        ("audit", "0003_row_changes"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        InstallFunctions(
            migration="0002_functions",
            functions=[
                "locks_acquire",
                "locks_choose_rooms",
                "locks_confirm",
                "locks_create_deliveries",
                "locks_describe",
                "locks_end",
                "locks_expire_overlapping",
                "locks_extend",
                "locks_occupies",
                "locks_occupies_at",
                "locks_offer",
                "locks_publish",
                "locks_room_range",
                "locks_room_suits",
                "locks_update_waiting_list",
            ],
        ),
        track_rows(
            "locks_webhook",
            model_name="webhook",
            kind="webhook",
            plain=["events", "previous_secret_expires_at", "active", "created_at"],
            secret=["url", "encrypted_secret", "encrypted_previous_secret"],
        ),
    ]
