"""The verification of tracked tables: each row must have the values that the last event about the row contains.

The verification finds rows that were changed, inserted or deleted while the triggers were disabled. Each recorded
change also contains the digest of the row before the change. So an unrecorded change is found even if a later change
was recorded.
"""

from dataclasses import dataclass

from django.db import connection

from audit.row_changes.tables import tables_of_current_tenant
from audit.verification.results import InvalidTrail
from tenants.context import current_tenant
from tenants.tracked_rows import TrackedTable

_REASONS = {
    (True, True): "was changed",
    (True, False): "was deleted",
    (False, True): "was inserted",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs from its recorded changes."""

    table: str
    key: str
    is_recorded: bool
    is_present: bool

    def __str__(self) -> str:
        done = _REASONS[self.is_recorded, self.is_present]
        return f"The row {self.key} of the table {self.table} {done}, and no event records this."


def check_rows() -> str:
    """Compare the rows of all tracked tables of the current tenant with their recorded changes.

    Returns a sentence for the report. Raises InvalidTrail with the first row that differs.
    """
    tables = tables_of_current_tenant()
    if differences := [difference for table in tables for difference in find_differences(table)]:
        more = f" {len(differences) - 1} more rows differ." if len(differences) > 1 else ""
        raise InvalidTrail(None, f"{differences[0]}{more}")
    return f"The rows of {len(tables)} tables are as the events say."


def find_differences(table: TrackedTable) -> list[Difference]:
    """Return the rows of a table of the current tenant that differ from their recorded changes, ordered by key."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT row_key, bool_or(balance > 0), bool_or(balance < 0) "
            "FROM public.audit_row_differences(%s, %s, %s, %s) GROUP BY row_key ORDER BY row_key",
            [current_tenant().schema, table.name, table.key, list(table.columns)],
        )
        return [Difference(table.name, *row) for row in cursor.fetchall()]
