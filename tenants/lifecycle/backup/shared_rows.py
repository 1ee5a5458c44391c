"""Restore of a hotel's rows in the shared tables. Rows that conflict with another hotel's rows are skipped."""

from django.db.backends.utils import CursorWrapper

from tenants.context import PUBLIC_SCHEMA
from tenants.database import quoting
from tenants.database.placement import list_hotel_references
from tenants.errors import DomainConflict
from tenants.lifecycle.backup.archive import Reader
from tenants.lifecycle.backup.errors import RestoreFailed
from tenants.lifecycle.backup.manifest import Table
from tenants.lifecycle.backup.table_data import copy_in
from tenants.models import Domain, Hotel

_DOMAINS = Domain._meta.db_table


def restore_shared_rows(
    cursor: CursorWrapper, backup: Reader, hotel: Hotel, *, keeps_id: bool
) -> dict[str, int]:
    """Insert the rows of the hotel into the shared tables, in the transaction of the restore.

    Returns the number of skipped rows by table. Raises DomainConflict if another hotel uses a domain of the restored
    hotel. A hotel that is restored as a copy gets neither domains nor contacts.
    """
    owner_columns = dict(list_hotel_references())
    skipped = {}
    for table in backup.manifest.shared:
        if table.name not in owner_columns:
            raise RestoreFailed(f"This database has no table {table.name}. Nothing was restored.")
        inserted = _insert_rows(cursor, backup, hotel, table, owner_columns[table.name], keeps_id=keeps_id)
        missing = table.rows - inserted
        if missing and table.name == _DOMAINS and hotel.slug == backup.manifest.slug:
            _raise_domain_conflict(cursor, hotel)
        if missing:
            skipped[table.name] = missing
    return skipped


def _insert_rows(
    cursor: CursorWrapper, backup: Reader, hotel: Hotel, table: Table, owner_column: str, *, keeps_id: bool
) -> int:
    """Insert the rows of the backup that do not conflict, and return the number of inserted rows."""
    temporary = copy_to_temporary_table(cursor, backup, table)
    target = quoting.qualified_name(PUBLIC_SCHEMA, table.name)
    cursor.execute(f"UPDATE {temporary} SET {quoting.identifier(owner_column)} = %s", [hotel.id])  # noqa: S608
    if "id" in table.key and not keeps_id:
        # Give the rows new ids, because the original hotel still has rows with the old ids.
        cursor.execute(f"UPDATE {temporary} SET id = gen_random_uuid()")  # noqa: S608
    columns = quoting.identifiers(*table.columns)
    cursor.execute(
        f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {temporary} ON CONFLICT DO NOTHING"  # noqa: S608
    )
    return int(cursor.rowcount)


def copy_to_temporary_table(cursor: CursorWrapper, backup: Reader, table: Table) -> str:
    """Copy the backup's rows of a shared table to a temporary table, which the end of the transaction deletes.

    Return the quoted name of the temporary table. Raises RestoreFailed if the rows differ from the manifest.
    """
    temporary = quoting.identifier(f"restored_{table.name}")
    target = quoting.qualified_name(PUBLIC_SCHEMA, table.name)
    cursor.execute(f"CREATE TEMP TABLE {temporary} (LIKE {target} INCLUDING DEFAULTS) ON COMMIT DROP")
    digest = copy_in(cursor, temporary, table.columns, backup.read_chunks(f"shared/{table.name}"))
    if (digest.rows, digest.sha256) != (table.rows, table.sha256):
        raise RestoreFailed(
            f"The rows of {table.name} differ from the manifest of the backup. Nothing was restored."
        )
    return temporary


def _raise_domain_conflict(cursor: CursorWrapper, hotel: Hotel) -> None:
    cursor.execute(
        f"SELECT r.host, h.slug FROM restored_{_DOMAINS} r JOIN {_DOMAINS} d ON lower(d.host) = lower(r.host) "  # noqa: S608
        "JOIN tenants_hotel h ON h.id = d.hotel_id WHERE h.id <> %s ORDER BY 1",
        [hotel.id],
    )
    taken = cursor.fetchall()
    listed = ", ".join(f"{host} ({slug})" for host, slug in taken)
    raise DomainConflict(
        f"Other hotels now use domains of this hotel: {listed}. Remove the domains from those hotels, or restore "
        f"under another slug (--slug {hotel.slug}-restored), which skips the domains. Nothing was restored.",
        hosts=[host for host, _slug in taken],
    )
