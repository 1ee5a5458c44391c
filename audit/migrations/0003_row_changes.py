"""The triggers that record changed rows of staff accounts and API keys."""

from django.db import migrations

from audit.row_changes.triggers import track_rows
from tenants.database.function_migrations import InstallFunctions
from tenants.database.storage import store_uncompressed


class Migration(migrations.Migration):
    initial = True

    dependencies = [("audit", "0002_sealing"), ("tenants", "0002_triggers_and_data")]

    operations = [
        # The digests of changed rows can hardly be compressed, and the attempt takes a third of the trigger's time.
        store_uncompressed("audit_event", "data", model_name="event"),
        InstallFunctions(
            migration="0003_row_changes",
            functions=[
                "audit_carry_rows",
                "audit_insert_rows_sql",
                "audit_restate_rows",
                "audit_row_differences",
                "audit_row_digest_sql",
                "audit_track_rows",
                "audit_tracking_sql",
                "audit_value_sql",
            ],
        ),
        track_rows(
            "tenants_user",
            model_name="user",
            kind="user",
            plain=[
                "role",
                "language",
                "is_active",
                "deactivated_at",
                "must_change_password",
                "second_factor_changed_at",
                "created_at",
            ],
            personal=["username", "full_name", "email"],
            secret=["password", "totp_secret", "recovery_codes"],
        ),
        track_rows(
            "tenants_apikey",
            model_name="apikey",
            kind="api_key",
            plain=["name", "prefix", "scopes", "created_at", "expires_at", "revoked_at"],
            secret=["digest"],
        ),
    ]
