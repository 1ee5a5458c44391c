"""Restore of a hotel from a backup file.

One transaction restores the hotel and compares every row with the file. If the transaction is interrupted, nothing is
restored. The restored hotel is suspended at first, and is activated if it is certain that no e-mail will be sent twice.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader

from hotelagent.core.ids import uuid7
from tenants.context import platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection, execute_script
from tenants.database.logins import get_database_logins
from tenants.errors import SchemaTemplateNotFound, SlugConflict
from tenants.lifecycle import naming, schema_template, suspension
from tenants.lifecycle.backup import activation
from tenants.lifecycle.backup.archive import Reader, open_backup, read_backup
from tenants.lifecycle.backup.errors import RestoreFailed, UnsupportedBackupVersion
from tenants.lifecycle.backup.manifest import Manifest
from tenants.lifecycle.backup.shared_rows import copy_to_temporary_table, restore_shared_rows
from tenants.lifecycle.backup.table_data import (
    Progress,
    apply_output_settings,
    copy_in,
    copy_out,
    list_table_sources,
    read_sequences,
)
from tenants.lifecycle.migration_lock import hold_migration_lock
from tenants.models import Hotel, HotelStatus
from tenants.queue import due
from tenants.signals import hotel_restored, restored_hotel_migrated


@dataclass(slots=True)
class RestoreResult:
    """The restored hotel, and how it differs from the backup.

    `skipped_rows` maps shared tables to the number of rows that conflicted with another hotel. `discarded_items` is the
    number of the hotel's due items that were not restored. If the hotel is active, `suspension_reasons` is empty.
    """

    hotel: Hotel
    manifest: Manifest
    sha256: str
    keeps_id: bool
    skipped_rows: dict[str, int]
    discarded_items: int
    suspension_reasons: list[str] = field(default_factory=list)


def restore_hotel(
    *,
    path: Path,
    slug: str | None = None,
    suspended: bool = False,
    discard_due: bool = False,
    progress: Progress,
) -> RestoreResult:
    """Restore a hotel from a backup file. If an error is raised, nothing has been restored.

    The hotel gets its original slug, or `slug` if that is given. With `suspended`, the hotel stays suspended. With
    `discard_due`, overdue items are deleted. Raises InvalidBackup, CorruptBackup, UnsupportedBackupVersion,
    InvalidSlug, SlugConflict, DomainConflict, MigrationConflict, SchemaTemplateNotFound or RestoreFailed.
    """
    with open_backup(path) as backup:
        _refuse_unknown_migrations(backup.manifest)
        valid_slug = naming.valid_slug(slug or backup.manifest.slug)
        with direct_connection(), platform_context(), hold_migration_lock():
            result = _restore(backup, valid_slug, discard_due=discard_due, progress=progress)
            result.suspension_reasons = activation.find_suspension_reasons(
                result.hotel, backup.manifest, keeps_id=result.keeps_id, requested=suspended
            )
            if reason := activation.migrate_restored_hotel(result.hotel):
                result.suspension_reasons.append(reason)
            else:
                restored_hotel_migrated.send(Hotel, hotel=result.hotel)
            if not result.suspension_reasons:
                result.hotel = suspension.resume_hotel(hotel_id=result.hotel.id)
            return result


def rehearse_restore(file: BinaryIO, *, name: str) -> Manifest:
    """Restore a hotel from an open backup file in a transaction that is rolled back, and return the manifest.

    Every row is compared with the manifest. Other sessions never see the restored schema, no existing row is read or
    changed, and nothing is sent or recorded. `name` is the file's name in error messages. Raises InvalidBackup,
    CorruptBackup, UnsupportedBackupVersion and RestoreFailed.
    """
    with read_backup(file, name=name) as backup:
        manifest = backup.manifest
        _refuse_unknown_migrations(manifest)
        with direct_connection(), platform_context():
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    apply_output_settings(cursor)
                    hotel = Hotel(schema=f"hotel_drill_{uuid7().hex}", slug=manifest.slug)
                    _create_schema(cursor, backup, hotel, lambda _table, _rows: None)
                    _compare_with_manifest(cursor, manifest, hotel)
                    for table in manifest.shared:
                        copy_to_temporary_table(cursor, backup, table)
                    transaction.set_rollback(True)
            except Error as error:
                raise RestoreFailed(f"{str(error).strip()}{_server_hint(manifest)}") from error
        return manifest


def _refuse_unknown_migrations(manifest: Manifest) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := [name for name in manifest.migrations if name not in known]:
        raise UnsupportedBackupVersion(
            f"The backup was created by hotelagent {manifest.version}, and this version ({settings.VERSION}) does not "
            f"have its migrations {', '.join(unknown)}. Restore it with hotelagent {manifest.version} or later.",
            version=manifest.version,
        )


# The transaction


def _restore(backup: Reader, slug: str, *, discard_due: bool, progress: Progress) -> RestoreResult:
    manifest = backup.manifest
    try:
        with transaction.atomic():
            cursor = connection.cursor()
            apply_output_settings(cursor)
            _check_target(cursor, slug)
            hotel, keeps_id = _new_hotel(cursor, manifest, slug)
            _create_schema(cursor, backup, hotel, progress)
            _compare_with_manifest(cursor, manifest, hotel)
            if settings.DATABASE_ROLES:
                roles.repair_hotel_privileges(cursor, hotel, get_database_logins(cursor))
            # Insert the hotel late, because the INSERT blocks changes to hotels and domains until the commit.
            _insert_hotel(hotel)
            skipped_rows = restore_shared_rows(cursor, backup, hotel, keeps_id=keeps_id)
            discarded_items = activation.find_overdue_items(hotel).delete()[0] if discard_due else 0
            due.pause_hotel(hotel_id=hotel.id)
            result = RestoreResult(hotel, manifest, backup.sha256, keeps_id, skipped_rows, discarded_items)
            hotel_restored.send(Hotel, hotel=hotel, detail=_audit_detail(result))
            return result
    except Error as error:
        raise RestoreFailed(f"{str(error).strip()}\nNothing was restored.{_server_hint(manifest)}") from error


def _audit_detail(result: RestoreResult) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "sha256": result.sha256,
        "created_at": manifest.created_at,
        "original": {"slug": manifest.slug, "id": manifest.hotel["id"]},
        "rows": manifest.rows,
        "masked": manifest.masked,
        "skipped_rows": result.skipped_rows,
        "discarded_items": result.discarded_items,
    }


def _check_target(cursor: CursorWrapper, slug: str) -> None:
    """Check that this database has been migrated and that the slug is free."""
    cursor.execute("SELECT to_regclass('public.tenants_schematemplate') IS NOT NULL")
    if not cursor.fetchone()[0] or schema_template.stored_version() is None:
        raise SchemaTemplateNotFound
    if Hotel.objects.filter(slug=slug).exists():
        raise SlugConflict(
            f"The hotel {slug!r} already exists. To restore beside it, use --slug {slug}-restored. To replace it, run "
            f"`manage.py suspend_hotel {slug}` and `manage.py erase_hotel {slug}` first.",
            slug=slug,
        )


def _new_hotel(cursor: CursorWrapper, manifest: Manifest, slug: str) -> tuple[Hotel, bool]:
    """Return a Hotel instance with the values in the manifest, and whether the hotel keeps its original id.

    The instance is not saved.
    """
    fields = {f.attname: f for f in Hotel._meta.concrete_fields}
    values = {name: fields[name].to_python(value) for name, value in manifest.hotel.items() if name in fields}
    original_id = UUID(manifest.hotel["id"])
    hotel = Hotel(
        **{
            **values,
            "id": original_id,
            "slug": slug,
            "schema": naming.free_schema_name(slug),
            "status": HotelStatus.SUSPENDED,
            "schema_version": schema_template.compute_schema_version(_split_names(manifest.migrations)),
        }
    )
    if slug != manifest.slug:
        # E-mails of the original hotel link to its former hosts. The links must not lead to this copy of the hotel.
        hotel.former_hosts = []
    used = Hotel.objects.exclude(id=original_id).filter(former_hosts__overlap=hotel.former_hosts)
    used_hosts = {host for hosts in used.values_list("former_hosts", flat=True) for host in hosts}
    hotel.former_hosts = [host for host in hotel.former_hosts if host not in used_hosts]
    # All databases of a server share its roles. The role is in use if another database contains the original hotel.
    # If the id or the role of the original hotel is in use, the restored hotel needs a new id and a new role.
    keeps_id = not Hotel.objects.filter(id=original_id).exists() and not roles.find_other_databases(
        cursor, hotel.role
    )
    if not keeps_id:
        hotel.id = uuid7()
    return hotel, keeps_id


def _split_names(migrations: list[str]) -> list[tuple[str, str]]:
    """Split migration names such as `locks.0001_initial` into pairs of app and name, and return the pairs."""
    return [(app, name) for app, _dot, name in (migration.partition(".") for migration in migrations)]


def _create_schema(cursor: CursorWrapper, backup: Reader, hotel: Hotel, progress: Progress) -> None:
    """Create the tables, insert the rows, and then create keys, constraints, indexes and triggers."""
    before, after = (
        schema_template.render_script(backup.read_text(f"schema/{part}.sql"), schema=hotel.schema)
        for part in ("before", "after")
    )
    execute_script(f"CREATE SCHEMA {quoting.identifier(hotel.schema)};\n{schema_template.PREAMBLE}{before}")
    for table in backup.manifest.tables:
        target = quoting.qualified_name(hotel.schema, table.name)
        copy_in(cursor, target, table.columns, backup.read_chunks(f"rows/{table.name}"))
        progress(table.name, table.rows)
    for sequence in backup.manifest.sequences:
        name = quoting.literal(quoting.qualified_name(hotel.schema, sequence.name))
        cursor.execute(f"SELECT setval({name}, %s, %s)", [sequence.last_value, sequence.is_called])
    execute_script(after)
    # Without statistics, the planner would choose bad plans until autovacuum analyzes the tables.
    cursor.execute(
        "ANALYZE "
        + ", ".join(quoting.qualified_name(hotel.schema, table.name) for table in backup.manifest.tables)
    )


def _compare_with_manifest(cursor: CursorWrapper, manifest: Manifest, hotel: Hotel) -> None:
    """Read every restored row and compare the digests with the manifest."""
    restored = [copy_out(cursor, source) for source in list_table_sources(cursor, hotel.schema)]
    if differing := [table.name for table in manifest.tables if table not in restored]:
        raise RestoreFailed(
            f"These restored tables differ from the backup: {', '.join(differing)}. Nothing was restored."
            f"{_server_hint(manifest)}"
        )
    if read_sequences(cursor, hotel.schema) != manifest.sequences:
        raise RestoreFailed("The restored sequences differ from the backup. Nothing was restored.")


def _insert_hotel(hotel: Hotel) -> None:
    try:
        hotel.save(force_insert=True)
    except IntegrityError as error:
        raise SlugConflict(f"A hotel {hotel.slug!r} was created just now.", slug=hotel.slug) from error


def _server_hint(manifest: Manifest) -> str:
    """Return a hint for the error message if this PostgreSQL server is older than the server of the backup."""
    source = manifest.server_version // 10_000
    target = connection.connection.info.server_version // 10_000
    if source <= target:
        return ""
    return f" The backup comes from PostgreSQL {source}, and this server is {target}. Use PostgreSQL {source} or newer."
