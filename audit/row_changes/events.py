"""The types of events about changed rows, which database triggers record (`audit/sql/audit_track_rows.sql`)."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.registry import register

#: The labels of tracked tables: the names of their models. `AuditConfig` adds them.
TABLE_LABELS: dict[str, Any] = {}
# The field `rows` has an array for each row: the primary key, the digests of the row before and after the change, and
# the values of the changed columns before and after. The personal values of a row have the primary key as the name of
# the field. The field `role` has the role that the session set.
_ROWS: dict[str, Any] = {"fields": ("table", "role", "count", "rows"), "labels": {"table": TABLE_LABELS}}

ROWS_INSERTED = register(
    "rows.inserted", description=_("{actor} inserted rows into the table “{table}” ({count})"), **_ROWS
)
ROWS_UPDATED = register(
    "rows.updated", description=_("{actor} changed rows of the table “{table}” ({count})"), **_ROWS
)
ROWS_DELETED = register(
    "rows.deleted", description=_("{actor} deleted rows of the table “{table}” ({count})"), **_ROWS
)
# This event has the digests of rows without their values: after a migration, a masked restore or the retention.
ROWS_RESTATED = register(
    "rows.restated", description=_("The present rows of the table “{table}” were recorded ({count})"), **_ROWS
)
