"""The triggers that record the changed rows of a table in the audit trail (`audit/sql/audit_track_rows.sql`)."""

from collections.abc import Iterable

from django.db import migrations

from tenants.database import quoting
from tenants.tracked_rows import TrackedTable

FUNCTION = "audit_track_rows"
#: The triggers of a tracked table, with their events. A trigger with transition tables can have only one event.
#: Before TRUNCATE, the trigger reads all rows, because a statement trigger of TRUNCATE has no transition table.
TRIGGERS = {
    "audit_rows_inserted": ("AFTER INSERT", "REFERENCING NEW TABLE AS new_rows"),
    "audit_rows_updated": ("AFTER UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    "audit_rows_deleted": ("AFTER DELETE", "REFERENCING OLD TABLE AS old_rows"),
    "audit_rows_truncated": ("BEFORE TRUNCATE", ""),
}


def trigger_definitions(table: TrackedTable) -> dict[str, str]:
    """Return a dict that maps the names of the table's triggers to the statements that create them.

    The statements have the form in which PostgreSQL shows the definitions of triggers.
    """
    columns = (",".join(names) for names in (table.plain, table.personal, table.secret))
    arguments = ", ".join(map(quoting.literal, (table.name, table.kind, table.key, *columns)))
    definitions = {}
    for name, (event, rows) in TRIGGERS.items():
        words = (
            f"CREATE TRIGGER {name} {event} ON {table.name}",
            rows,
            f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}({arguments})",
        )
        definitions[name] = " ".join(filter(None, words))
    return definitions


def track_rows(
    table: str,
    *,
    model_name: str,
    kind: str,
    plain: Iterable[str],
    personal: Iterable[str] = (),
    secret: Iterable[str] = (),
) -> migrations.RunSQL:
    """Return a migration operation that creates the triggers of a table, and records the rows that exist already.

    The columns must be those that `tenants.tracked_rows` declares. If the columns of a table change, add a migration
    with this operation. The operation replaces the triggers, and records the rows with their new digests.
    """
    tracked = TrackedTable(table, kind, tuple(plain), tuple(personal), tuple(secret))
    return migrations.RunSQL(
        [
            *(f"DROP TRIGGER IF EXISTS {trigger} ON {table}" for trigger in TRIGGERS),
            *trigger_definitions(tracked).values(),
            restating_sql(tracked),
        ],
        [f"DROP TRIGGER {trigger} ON {table}" for trigger in TRIGGERS],
        hints={"model_name": model_name},
    )


def restating_sql(table: TrackedTable) -> str:
    """Return the statement that records the current values of all rows of a table of the current tenant."""
    columns = quoting.literal("{" + ",".join(table.columns) + "}")
    return (
        f"SELECT public.audit_restate_rows(current_schema()::text, {quoting.literal(table.name)}, "
        f"{quoting.literal(table.key)}, {columns})"
    )
