"""A hotel's rows of the tables that all hotels share, brought back: what another hotel has now stays that one's."""

from django.db.backends.utils import CursorWrapper

from tenants.context import PUBLIC_SCHEMA
from tenants.database import quoting
from tenants.database.placement import list_hotel_references
from tenants.errors import DomainConflict
from tenants.lifecycle.backup import archive, table_data
from tenants.lifecycle.backup.errors import RestoreFailed
from tenants.lifecycle.backup.manifest import Table
from tenants.models import Domain, Hotel

_DOMAINS = Domain._meta.db_table


def restore_shared_rows(
    cursor: CursorWrapper, backup: archive.Reader, hotel: Hotel, *, same_id: bool
) -> dict[str, int]:
    """Table -> rows that were left out because another hotel has them. In the restore's transaction.

    A hotel that comes back as itself without its address would be no restore: raises DomainConflict. A copy of a hotel
    that is still there gets none of its domains and contacts.
    """
    owners = dict(list_hotel_references())
    left_out = {}
    for table in backup.manifest.shared:
        if table.name not in owners:
            raise RestoreFailed(f"This database has no table {table.name}. Nothing is restored.")
        missing = table.rows - _one(cursor, backup, hotel, table, owners[table.name], same_id=same_id)
        if missing and table.name == _DOMAINS and hotel.slug == backup.manifest.slug:
            _refuse(cursor, hotel)
        if missing:
            left_out[table.name] = missing
    return left_out


def _one(
    cursor: CursorWrapper, backup: archive.Reader, hotel: Hotel, table: Table, owner: str, *, same_id: bool
) -> int:
    """How many rows found their place."""
    waiting = quoting.identifier(f"restored_{table.name}")
    real = quoting.qualified_name(PUBLIC_SCHEMA, table.name)
    cursor.execute(f"CREATE TEMP TABLE {waiting} (LIKE {real} INCLUDING DEFAULTS) ON COMMIT DROP")
    tally = table_data.copy_in(cursor, waiting, table.columns, backup.chunks(f"shared/{table.name}"))
    if (tally.rows, tally.sha256) != (table.rows, table.sha256):
        raise RestoreFailed(f"The rows of {table.name} are not what the manifest says. Nothing is restored.")
    cursor.execute(f"UPDATE {waiting} SET {quoting.identifier(owner)} = %s", [hotel.id])  # noqa: S608
    if "id" in table.key and not same_id:
        cursor.execute(f"UPDATE {waiting} SET id = gen_random_uuid()")  # noqa: S608 - the original has theirs
    columns = quoting.identifiers(*table.columns)
    cursor.execute(
        f"INSERT INTO {real} ({columns}) SELECT {columns} FROM {waiting} ON CONFLICT DO NOTHING"  # noqa: S608
    )
    return int(cursor.rowcount)


def _refuse(cursor: CursorWrapper, hotel: Hotel) -> None:
    cursor.execute(
        f"SELECT w.host, h.slug FROM restored_{_DOMAINS} w JOIN {_DOMAINS} d ON lower(d.host) = lower(w.host) "  # noqa: S608
        "JOIN tenants_hotel h ON h.id = d.hotel_id WHERE h.id <> %s ORDER BY 1",
        [hotel.id],
    )
    taken = cursor.fetchall()
    listed = ", ".join(f"{host} ({slug})" for host, slug in taken)
    raise DomainConflict(
        f"Other hotels have its domains now: {listed}. Take them away there first, or restore it under another slug "
        f"with --slug {hotel.slug}-restored, which leaves them out. Nothing is restored.",
        hosts=[host for host, _slug in taken],
    )
