"""Brings a hotel back from a file: whole, compared row by row, and not routed before it is both.

One transaction makes the schema, its rows, its role and its rows of the shared tables; whatever interrupts it leaves
nothing. The hotel is suspended when it is committed. Only what can't repeat anything opens it by itself.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
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
from tenants.lifecycle import naming, suspension, template
from tenants.lifecycle.backup import activation, archive, shared_rows, table_data
from tenants.lifecycle.backup.create import Progress
from tenants.lifecycle.backup.errors import BackupTooNew, RestoreFailed
from tenants.lifecycle.backup.manifest import Manifest
from tenants.lifecycle.fleet.migration_lock import hold_migration_lock
from tenants.models import Hotel, HotelStatus
from tenants.queue import due
from tenants.signals import hotel_restored


@dataclass(slots=True)
class Restored:
    """`left_out`: shared table -> how many of its rows another hotel has; `forgotten`: how many things were due.

    `suspended_because` is empty if it is open.
    """

    hotel: Hotel
    manifest: Manifest
    sha256: str
    same_id: bool
    left_out: dict[str, int]
    forgotten: int
    suspended_because: list[str] = field(default_factory=list)


def restore_hotel(
    *,
    path: Path,
    slug: str | None = None,
    suspended: bool = False,
    forget_due: bool = False,
    progress: Progress,
) -> Restored:
    """Make the hotel that the file has, under its own slug or another.

    It keeps its id where no other hotel has it here. `forget_due`: what is due by now is never done, for it was done
    after the backup was made. Takes the direct route, and the lock that `migrate` takes.
    Raises NotABackup, BackupDamaged, BackupTooNew, InvalidSlug, SlugConflict, DomainConflict, MigrationConflict,
    SchemaTemplateNotFound and RestoreFailed: nothing of it is left then.
    """
    with archive.opened(path) as backup:
        _refuse_newer(backup.manifest)
        wanted = naming.valid_slug(slug or backup.manifest.slug)
        with direct_connection(), platform_context(), hold_migration_lock():
            restored = _restore(backup, wanted, forget_due=forget_due, progress=progress)
            restored.suspended_because = activation.reasons_to_stay_suspended(
                restored.hotel, backup.manifest, same_id=restored.same_id, asked=suspended
            )
            if problem := activation.migrate_restored_hotel(restored.hotel):
                restored.suspended_because.append(problem)
            if not restored.suspended_because:
                restored.hotel = suspension.resume_hotel(hotel_id=restored.hotel.id)
            return restored


def _refuse_newer(manifest: Manifest) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := [name for name in manifest.migrations if name not in known]:
        raise BackupTooNew(
            f"The backup was made by hotelagent {manifest.version}, with migrations that this code "
            f"({settings.VERSION}) does not have: {', '.join(unknown)}. Restore it with hotelagent "
            f"{manifest.version} or later.",
            version=manifest.version,
        )


# The transaction


def _restore(backup: archive.Reader, slug: str, *, forget_due: bool, progress: Progress) -> Restored:
    manifest = backup.manifest
    try:
        with transaction.atomic():
            cursor = connection.cursor()
            table_data.set_canonical_output(cursor)
            _refuse_here(cursor, slug)
            hotel, same_id = _hotel(cursor, manifest, slug)
            _schema(cursor, backup, hotel, progress)
            _compare(cursor, manifest, hotel)
            if settings.DATABASE_ROLES:
                roles.repair_hotel_privileges(cursor, hotel, get_database_logins(cursor))
            # Late: its row tells every process to look at the hosts anew, and until the commit nobody else can.
            _save(hotel)
            left_out = shared_rows.restore_shared_rows(cursor, backup, hotel, same_id=same_id)
            forgotten = activation.overdue_items(hotel).delete()[0] if forget_due else 0
            due.pause_hotel(hotel_id=hotel.id)
            restored = Restored(hotel, manifest, backup.sha256, same_id, left_out, forgotten)
            hotel_restored.send(Hotel, hotel=hotel, detail=_detail(restored))
            return restored
    except Error as error:
        raise RestoreFailed(f"{str(error).strip()}\nNothing is restored.{_servers(manifest)}") from error


def _detail(restored: Restored) -> dict[str, Any]:
    manifest = restored.manifest
    return {
        "sha256": restored.sha256,
        "made_at": manifest.made_at,
        "of": {"slug": manifest.slug, "id": manifest.hotel["id"]},
        "rows": manifest.rows,
        "masked": manifest.masked,
        "left_out": restored.left_out,
        "forgotten": restored.forgotten,
    }


def _refuse_here(cursor: CursorWrapper, slug: str) -> None:
    cursor.execute("SELECT to_regclass('public.tenants_schematemplate') IS NOT NULL")
    if not cursor.fetchone()[0] or template.stored_version() is None:
        raise SchemaTemplateNotFound
    if Hotel.objects.filter(slug=slug).exists():
        raise SlugConflict(
            f"There is a hotel {slug!r} here. Restore beside it, with --slug {slug}-restored; or, to put the backup "
            f"in its place, run `manage.py suspend_hotel {slug}` and `manage.py erase_hotel {slug}` first.",
            slug=slug,
        )


def _hotel(cursor: CursorWrapper, manifest: Manifest, slug: str) -> tuple[Hotel, bool]:
    """The hotel, not saved, and whether it is the one that was backed up."""
    fields = {f.attname: f for f in Hotel._meta.concrete_fields}
    values = {name: fields[name].to_python(value) for name, value in manifest.hotel.items() if name in fields}
    before = UUID(manifest.hotel["id"])
    hotel = Hotel(
        **{
            **values,
            "id": before,
            "slug": slug,
            "schema": naming.free_schema_name(slug),
            "status": HotelStatus.SUSPENDED,
            "schema_version": template.fingerprint(_pairs(manifest)),
        }
    )
    # A role is the whole server's: where another database has the hotel too, its role must not lead here.
    same_id = not Hotel.objects.filter(id=before).exists() and not roles.find_other_databases(
        cursor, hotel.role
    )
    if not same_id:
        hotel.id = uuid7()
    return hotel, same_id


def _pairs(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        (app, name) for app, _dot, name in (migration.partition(".") for migration in manifest.migrations)
    ]


def _schema(cursor: CursorWrapper, backup: archive.Reader, hotel: Hotel, progress: Progress) -> None:
    """Tables, then rows, then what judges and finds rows: made once, of all of them."""
    before, after = (
        template.render(backup.text(f"schema/{part}.sql"), schema=hotel.schema)
        for part in ("before", "after")
    )
    execute_script(f"CREATE SCHEMA {quoting.identifier(hotel.schema)};\n{template.BEFOREHAND}{before}")
    for table in backup.manifest.tables:
        target = quoting.qualified_name(hotel.schema, table.name)
        table_data.copy_in(cursor, target, table.columns, backup.chunks(f"rows/{table.name}"))
        progress(table.name, table.rows)
    for sequence in backup.manifest.sequences:
        name = quoting.literal(quoting.qualified_name(hotel.schema, sequence.name))
        cursor.execute(f"SELECT setval({name}, %s, %s)", [sequence.last_value, sequence.is_called])
    execute_script(after)
    # Until autovacuum comes by, nobody would know how large the tables are.
    cursor.execute(
        "ANALYZE "
        + ", ".join(quoting.qualified_name(hotel.schema, table.name) for table in backup.manifest.tables)
    )


def _compare(cursor: CursorWrapper, manifest: Manifest, hotel: Hotel) -> None:
    """Read every row back, and hold it against the file's own account."""
    found = [table_data.copy_out(cursor, source) for source in table_data.find_sources(cursor, hotel.schema)]
    if wrong := [table.name for table in manifest.tables if table not in found]:
        raise RestoreFailed(
            f"After restoring, these tables differ from the file: {', '.join(wrong)}. Nothing is restored."
            f"{_servers(manifest)}"
        )
    if table_data.read_sequences(cursor, hotel.schema) != manifest.sequences:
        raise RestoreFailed("After restoring, the sequences differ from the file. Nothing is restored.")


def _save(hotel: Hotel) -> None:
    try:
        hotel.save(force_insert=True)
    except IntegrityError as error:
        raise SlugConflict(f"A hotel {hotel.slug!r} was made here just now.", slug=hotel.slug) from error


def _servers(manifest: Manifest) -> str:
    then, now = manifest.server_version // 10_000, connection.connection.info.server_version // 10_000
    if then <= now:
        return ""
    return f" The backup comes from PostgreSQL {then}, and this is {now}: restore it on {then} or newer."
