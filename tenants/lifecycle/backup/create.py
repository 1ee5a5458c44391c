"""Backup of a hotel from one snapshot of the database. The hotel can be used during the backup."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
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
from tenants.lifecycle import pgtools, schema_template
from tenants.lifecycle.backup import output_file
from tenants.lifecycle.backup.archive import Writer, read_backup
from tenants.lifecycle.backup.errors import BackupConflict, BackupFailed
from tenants.lifecycle.backup.manifest import Manifest, Table
from tenants.lifecycle.backup.table_data import (
    Progress,
    TableSource,
    apply_output_settings,
    copy_out,
    list_table_sources,
    read_sequences,
)
from tenants.models import Hotel, HotelStatus
from tenants.signals import hotel_backed_up

#: Maximum time that a backup waits until a migration releases its locks on the hotel's tables.
LOCK_TIMEOUT = "10s"


#: The shared tables whose rows are not backed up: the state of the backups themselves.
_NOT_BACKED_UP = frozenset({"tenants_backupstate"})


@dataclass(frozen=True, slots=True)
class WrittenBackup:
    """A backup that was written to a file and verified. `size` is in bytes."""

    sha256: str
    size: int
    manifest: Manifest

    def audit_detail(self) -> dict[str, Any]:
        """Return the detail of the audit event about this backup."""
        return {
            "sha256": self.sha256,
            "bytes": self.size,
            "rows": self.manifest.rows,
            "masked": self.manifest.masked,
        }


@dataclass(frozen=True, slots=True)
class Backup(WrittenBackup):
    """A backup that was written to the file at `path`."""

    path: Path


def backup_hotel(
    *, hotel_id: UUID, path: Path, overwrite: bool = False, masked: bool = False, progress: Progress
) -> Backup:
    """Back up a hotel to a file that only the file's owner may read.

    All data come from one snapshot of the database. The hotel can be used during the backup, but its migrations wait.
    If `masked` is true, the file contains no personal data and no secrets (tenants.personal_data). Uses the direct
    connection. Raises HotelNotFound, BackupConflict, BackupFailed.
    """
    output_file.refuse_existing_file(path, overwrite=overwrite)
    with direct_connection(), platform_context():
        hotel = selectors.get_hotel(hotel_id=hotel_id)
        with _translate_errors(hotel, str(path)), output_file.new_file(path) as (file, temporary_path):
            written = write_backup(file, hotel=hotel, name=str(path), masked=masked, progress=progress)
            with transaction.atomic():
                hotel_backed_up.send(Hotel, hotel=hotel, detail=written.audit_detail())
                output_file.refuse_existing_file(path, overwrite=overwrite)
                temporary_path.replace(path)
        return Backup(written.sha256, written.size, written.manifest, path)


def write_backup(
    file: BinaryIO, *, hotel: Hotel, name: str, masked: bool = False, progress: Progress
) -> WrittenBackup:
    """Write a backup of the hotel to an open, empty file, flush the file to the disk, and verify what was written.

    Records no audit event. `name` is the file's name in error messages. Needs the direct connection and the platform's
    context. Raises BackupConflict, BackupFailed.
    """
    if hotel.status == HotelStatus.PROVISIONING:
        raise BackupConflict(
            f"{hotel.slug} is still being provisioned. Wait until `list_hotels` shows it as active."
        )
    with _translate_errors(hotel, name):
        with Writer(file) as writer:
            with _snapshot(hotel) as cursor:
                manifest = _write(cursor, hotel, writer, masked=masked, progress=progress)
            sha256 = writer.finish(manifest)
        output_file.flush_to_disk(file)
        _verify(file, sha256, name)
        return WrittenBackup(sha256, file.seek(0, 2), manifest)


# The following functions read from the database.


@contextlib.contextmanager
def _snapshot(hotel: Hotel) -> Iterator[CursorWrapper]:
    """Open a read-only transaction in which all queries see the same snapshot.

    Migrations of the hotel wait until the transaction ends.
    """
    with connection.cursor() as cursor:
        tables = [source.qualified_name for source in list_table_sources(cursor, hotel.schema)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
        if tables:
            # Lock the tables first, so that the snapshot contains each migration completely or not at all.
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS SHARE MODE")
        apply_output_settings(cursor)
        yield cursor


def _write(
    cursor: CursorWrapper, hotel: Hotel, writer: Writer, *, masked: bool, progress: Progress
) -> Manifest:
    cursor.execute("SELECT transaction_timestamp()")
    (created_at,) = cursor.fetchone()
    if masked:
        personal_data.set_mask_key(cursor)
    row = _read_hotel_row(cursor, hotel, masked=masked)
    migrations = _read_migrations(cursor, hotel, row)
    before, after = schema_template.read_definitions(cursor, hotel.schema)
    own_sources = list_table_sources(cursor, hotel.schema)
    shared_sources = [
        _hotel_rows_source(cursor, table, column, hotel)
        for table, column in list_hotel_references()
        if table not in _NOT_BACKED_UP
    ]

    def write_tables(folder: str, sources: list[TableSource]) -> list[Table]:
        tables = []
        for source in sources:
            with writer.open_member(f"{folder}/{source.table}") as member:
                table = copy_out(cursor, _mask(source) if masked else source, member.write)
            progress(table.name, table.rows)
            tables.append(table)
        return tables

    return Manifest(
        created_at=created_at.isoformat(),
        version=settings.VERSION,
        server_version=connection.connection.info.server_version,
        platform_host=settings.PLATFORM_HOST,
        masked=masked,
        hotel=row,
        migrations=migrations,
        definitions={
            "before": writer.write_text("schema/before.sql", before),
            "after": writer.write_text("schema/after.sql", after),
        },
        tables=write_tables("rows", own_sources),
        sequences=read_sequences(cursor, hotel.schema),
        shared=write_tables("shared", shared_sources),
    )


def _read_hotel_row(cursor: CursorWrapper, hotel: Hotel, *, masked: bool) -> dict[str, Any]:
    source = _hotel_rows_source(cursor, "tenants_hotel", "id", hotel)
    if masked:
        source = _mask(source)
    cursor.execute(f"SELECT to_jsonb(h)::text FROM ({source.query()}) AS h")  # noqa: S608
    result = cursor.fetchone()
    if result is None:
        raise BackupConflict(f"{hotel.slug} was deleted just now.")
    row: dict[str, Any] = json.loads(result[0])
    return row


def _read_migrations(cursor: CursorWrapper, hotel: Hotel, row: dict[str, Any]) -> list[str]:
    cursor.execute(f"SELECT app, name FROM {quoting.qualified_name(hotel.schema, 'django_migrations')}")  # noqa: S608
    applied = cursor.fetchall()
    if schema_template.compute_schema_version(applied) != row["schema_version"]:
        raise BackupConflict(
            f"A migration of {hotel.slug} is running or was interrupted. "
            f"Run `manage.py migrate --hotel {hotel.slug}`, then back it up."
        )
    return sorted(f"{app}.{name}" for app, name in applied)


def _hotel_rows_source(cursor: CursorWrapper, table: str, column: str, hotel: Hotel) -> TableSource:
    """Return the TableSource for the hotel's rows in a shared table. `column` is the column with the hotel's id."""
    (source,) = list_table_sources(cursor, PUBLIC_SCHEMA, [table])
    condition = f"{quoting.identifier(column)} = {quoting.literal(str(hotel.id))}"
    return replace(source, condition=condition)


def _mask(source: TableSource) -> TableSource:
    omitted = personal_data.is_omitted(source.table)
    sensitive = [] if omitted else [column.name for column in source.columns if column.is_sensitive]
    try:
        masks = personal_data.masked_expressions(source.table, source.column_names, sensitive=sensitive)
    except personal_data.UndeclaredColumns as error:
        raise BackupConflict(str(error)) from error
    return replace(source, condition="false" if omitted else source.condition, masks=masks)


# The file


@contextlib.contextmanager
def _translate_errors(hotel: Hotel, name: str) -> Iterator[None]:
    """Convert errors of the file system, pg_dump and the database to BackupFailed and BackupConflict."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(
            f"{name} cannot be written: {error.strerror}. The incomplete file was deleted."
        ) from error
    except (ImproperlyConfigured, pgtools.ProgramFailed) as error:
        raise BackupFailed(str(error)) from error
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise BackupConflict(
                f"Another process, probably a migration, has locked the tables of {hotel.slug}. "
                "Try again when it has finished."
            ) from error
        raise


def _verify(file: BinaryIO, sha256: str, name: str) -> None:
    with read_backup(file, name=name) as backup:
        backup.verify_rows()
        if backup.sha256 != sha256:
            raise BackupFailed(
                "The file that was read back differs from what was written. The disk may be failing."
            )
