"""Takes a hotel into a file, as it was at one moment, while it goes on working."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import errors

from tenants import personal_data, selectors
from tenants.context import PUBLIC_SCHEMA, platform_context
from tenants.database import quoting
from tenants.database.connections import direct_connection
from tenants.database.placement import list_hotel_references
from tenants.lifecycle import pgtools, template
from tenants.lifecycle.backup import archive, output_file, table_data
from tenants.lifecycle.backup.errors import BackupFailed, BackupRefused
from tenants.lifecycle.backup.manifest import Manifest, Table
from tenants.models import Hotel, HotelStatus
from tenants.signals import hotel_backed_up

#: Told of each table as it is done: its name and its rows.
Progress = Callable[[str, int], None]

#: How long a backup waits for who changes the hotel's tables.
PATIENCE = "10s"


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that was read back after it was written."""

    path: Path
    sha256: str
    size: int
    manifest: Manifest


def backup_hotel(
    *, hotel_id: UUID, path: Path, overwrite: bool = False, masked: bool = False, progress: Progress
) -> Backup:
    """Write the hotel to a file that only its owner may read; it is there, whole and read back, or it is not.

    One snapshot of the database holds all of it: schema, rows, and its rows of the shared tables. People go on
    working; only a migration of the hotel waits. `masked`: without personal data and secrets (tenants.personal_data).
    Takes the direct route. Raises HotelNotFound, BackupRefused, BackupFailed.
    """
    output_file.refuse_existing_file(path, overwrite=overwrite)
    with direct_connection(), platform_context():
        hotel = selectors.get_hotel(hotel_id=hotel_id)
        if hotel.status == HotelStatus.PROVISIONING:
            raise BackupRefused(
                f"{hotel.slug} is still being made. Wait until `list_hotels` says it is active."
            )
        with _told(hotel, path), output_file.new_file(path) as (file, written):
            with archive.Writer(file) as writer:
                with _snapshot(hotel) as cursor:
                    manifest = _write(cursor, hotel, writer, masked=masked, progress=progress)
                sha256 = writer.finish(manifest)
            output_file.flush_to_disk(file)
            _read_back(written, sha256)
            backup = Backup(path, sha256, written.stat().st_size, manifest)
            with transaction.atomic():
                hotel_backed_up.send(Hotel, hotel=hotel, detail=_detail(backup))
                output_file.refuse_existing_file(path, overwrite=overwrite)
                written.replace(path)
        return backup


def _detail(backup: Backup) -> dict[str, Any]:
    manifest = backup.manifest
    return {"sha256": backup.sha256, "bytes": backup.size, "rows": manifest.rows, "masked": manifest.masked}


# What is in the database


@contextlib.contextmanager
def _snapshot(hotel: Hotel) -> Iterator[CursorWrapper]:
    """A transaction that sees one moment, from before which no migration of the hotel can reach into it."""
    with connection.cursor() as cursor:
        tables = [source.qualified for source in table_data.find_sources(cursor, hotel.schema)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL lock_timeout TO '{PATIENCE}'")
        if tables:
            # Locked before the snapshot is taken: what changed until now is seen, and nothing changes from here on.
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS SHARE MODE")
        table_data.set_canonical_output(cursor)
        yield cursor


def _write(
    cursor: CursorWrapper, hotel: Hotel, writer: archive.Writer, *, masked: bool, progress: Progress
) -> Manifest:
    cursor.execute("SELECT pg_export_snapshot(), transaction_timestamp()")
    snapshot, made_at = cursor.fetchone()
    if masked:
        personal_data.set_mask_key(cursor)
    row = _row_of(cursor, hotel, masked=masked)
    migrations = _migrations(cursor, hotel, row)
    before, after = template.definitions(hotel.schema, f"--snapshot={snapshot}")
    own = table_data.find_sources(cursor, hotel.schema)
    return Manifest(
        made_at=made_at.isoformat(),
        version=settings.VERSION,
        server_version=connection.connection.info.server_version,
        platform_host=settings.PLATFORM_HOST,
        masked=masked,
        hotel=row,
        migrations=migrations,
        definitions={
            "before": writer.text("schema/before.sql", before),
            "after": writer.text("schema/after.sql", after),
        },
        tables=[_table(cursor, source, writer, "rows", masked=masked, progress=progress) for source in own],
        sequences=table_data.read_sequences(cursor, hotel.schema),
        shared=[
            _table(cursor, source, writer, "shared", masked=masked, progress=progress)
            for source in _shared(cursor, hotel)
        ],
    )


def _row_of(cursor: CursorWrapper, hotel: Hotel, *, masked: bool) -> dict[str, Any]:
    source = _only(cursor, "tenants_hotel", "id", hotel)
    if masked:
        source = _masked(source)
    cursor.execute(f"SELECT to_jsonb(h)::text FROM ({source.query()}) AS h")  # noqa: S608
    found = cursor.fetchone()
    if found is None:
        raise BackupRefused(f"{hotel.slug} was erased just now.")
    row: dict[str, Any] = json.loads(found[0])
    return row


def _migrations(cursor: CursorWrapper, hotel: Hotel, row: dict[str, Any]) -> list[str]:
    cursor.execute(f"SELECT app, name FROM {quoting.qualified_name(hotel.schema, 'django_migrations')}")  # noqa: S608
    applied = cursor.fetchall()
    if template.fingerprint(applied) != row["schema_version"]:
        raise BackupRefused(
            f"{hotel.slug} is in the middle of a migration, or one was cut off there. "
            f"Run `manage.py migrate --hotel {hotel.slug}`, then back it up."
        )
    return sorted(f"{app}.{name}" for app, name in applied)


def _shared(cursor: CursorWrapper, hotel: Hotel) -> list[table_data.Source]:
    return [_only(cursor, table, column, hotel) for table, column in list_hotel_references()]


def _only(cursor: CursorWrapper, table: str, column: str, hotel: Hotel) -> table_data.Source:
    """The hotel's rows of a shared table."""
    (source,) = table_data.find_sources(cursor, PUBLIC_SCHEMA, [table])
    condition = f"{quoting.identifier(column)} = {quoting.literal(str(hotel.id))}"
    return table_data.Source(source.schema, table, source.columns, source.key, only=condition)


def _table(
    cursor: CursorWrapper,
    source: table_data.Source,
    writer: archive.Writer,
    folder: str,
    *,
    masked: bool,
    progress: Progress,
) -> Table:
    if masked:
        source = _masked(source)
    with writer.member(f"{folder}/{source.table}") as member:
        table = table_data.copy_out(cursor, source, member.write)
    progress(table.name, table.rows)
    return table


def _masked(source: table_data.Source) -> table_data.Source:
    empty = personal_data.is_omitted(source.table)
    telling = [] if empty else [column.name for column in source.columns if column.tells]
    try:
        in_place = personal_data.masked_expressions(source.table, source.names, telling=telling)
    except personal_data.UndeclaredColumns as error:
        raise BackupRefused(str(error)) from error
    only = "false" if empty else source.only
    return table_data.Source(source.schema, source.table, source.columns, source.key, only, in_place)


# The file


@contextlib.contextmanager
def _told(hotel: Hotel, path: Path) -> Iterator[None]:
    """What the system and pg_dump say, as what it means here."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{path} can't be written: {error.strerror}. Nothing of it is left.") from error
    except (ImproperlyConfigured, pgtools.ProgramFailed) as error:
        raise BackupFailed(str(error)) from error
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise BackupRefused(
                f"Something keeps the tables of {hotel.slug} locked: a migration? Try again after it."
            ) from error
        raise


def _read_back(path: Path, sha256: str) -> None:
    with archive.opened(path) as backup:
        backup.check_members()
        if backup.sha256 != sha256:
            raise BackupFailed("What was read back is not what was written: is the disk failing?")
