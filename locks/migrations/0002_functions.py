"""The database functions of holds, webhook deliveries and the waiting list."""

from django.db import migrations

from tenants.database.function_migrations import InstallFunctions


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("locks", "0001_initial"),
        ("audit", "0001_initial"),
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
    ]
