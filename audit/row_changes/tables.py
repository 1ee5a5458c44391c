"""The tracked tables of the current tenant, and functions that record the current state of their rows."""

from django.apps import apps
from django.db import connection

from audit.row_changes.triggers import restating_sql
from tenants.context import current_tenant
from tenants.database.placement import placement_of
from tenants.tracked_rows import TrackedTable, tracked_tables


def tables_of_current_tenant() -> list[TrackedTable]:
    """Return the tracked tables that exist in the schema of the current tenant, ordered by name."""
    placements = {
        model._meta.db_table: placement_of(model._meta.app_label, model._meta.model_name)
        for model in apps.get_models()
    }
    is_platform = current_tenant().is_platform
    return [
        table
        for table in tracked_tables()
        if (placements[table.name].in_platform if is_platform else placements[table.name].in_hotel)
    ]


def restate_rows() -> None:
    """Record the current values of all rows in the tracked tables of the current tenant, in the caller's transaction.

    Needs the owner of the tables. Use this function only after a legitimate change that no trigger recorded, because
    the verification no longer finds the change afterwards.
    """
    with connection.cursor() as cursor:
        for table in tables_of_current_tenant():
            cursor.execute(restating_sql(table))


def carry_rows(*, last_transaction: int, last_id: object) -> None:
    """Record the state of the rows after the events that are about to be deleted.

    The parameters identify the last of these events in the order of sealing. Call this function as the owner of the
    tables, in the transaction that deletes the events.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT public.audit_carry_rows(current_schema()::text, %s, %s)", [last_transaction, str(last_id)]
        )
