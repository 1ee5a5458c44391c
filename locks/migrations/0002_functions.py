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
                "locks_acquire_any",
                "locks_changed",
                "locks_confirm",
                "locks_extend",
                "locks_new_id",
                "locks_offer",
                "locks_release",
            ],
        ),
    ]
