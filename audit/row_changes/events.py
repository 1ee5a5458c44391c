"""The types of events about changed rows, which database triggers record (`audit/sql/audit_track_rows.sql`)."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.registry import register

#: Maps the tracked tables to their labels, the names of their models. `AuditConfig` fills this dict.
TABLE_LABELS: dict[str, Any] = {}
# The field `rows` contains an array for each row: the primary key, the digests of the row before and after the change,
# and the values of the changed columns before and after. The personal values of a row are stored in a field that is
# named after the primary key. The field `role` contains the PostgreSQL role of the session.
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
# `rows.restated` contains digests of rows, but no values. It is recorded after a migration, after the restore of a
# masked backup, and after the deletion of old events.
ROWS_RESTATED = register(
    "rows.restated", description=_("The present rows of the table “{table}” were recorded ({count})"), **_ROWS
)
