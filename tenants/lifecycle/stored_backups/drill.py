"""Restore drills: the newest backups are restored beside the originals, and every row is compared.

A hotel is restored in a transaction that is rolled back. A dump is restored to a separate database, which is dropped
after the comparison. The files of a server are unpacked and verified with pg_verifybackup. The originals are not
changed, and no e-mails are sent.
"""

import contextlib
import datetime
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction

from tenants.context import platform_context
from tenants.database.connections import direct_connection, direct_settings
from tenants.errors import DomainError
from tenants.lifecycle import pgtools
from tenants.lifecycle.backup.errors import BackupFailed, CorruptBackup, RestoreFailed
from tenants.lifecycle.backup.restore import rehearse_restore
from tenants.lifecycle.stored_backups import age_encryption, dumps, states
from tenants.lifecycle.stored_backups.create import (
    TASK_SECONDS,
    list_backups,
    open_temporary_file,
    worker_slot,
)
from tenants.lifecycle.stored_backups.errors import StoredBackupNotFound
from tenants.lifecycle.stored_backups.names import Kind, StoredBackup, deployment_prefix
from tenants.lifecycle.stored_backups.storage import Storage, get_storage, is_configured
from tenants.models import BackupState
from tenants.signals import backups_drilled

log = structlog.get_logger(__name__)

#: The maximum number of failures that an audit event lists.
_MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The result of one restore drill. `error` is empty if every restored row equals the row in the backup.

    `rows` is the number of restored rows, or None if the drill failed or if the backup contains only files.
    """

    target: str
    slug: str
    name: str
    created_at: datetime.datetime | None
    rows: int | None
    seconds: float
    error: str


def run_drills(*, targets: Sequence[tuple[str, UUID | None]]) -> Iterator[DrillResult]:
    """Restore the newest backup of each target, and yield each result. Each target is a name and a hotel's id.

    Stores the results, and records one audit event at the end. Raises InvalidBackupSettings and
    BackupStorageUnavailable before the first drill.
    """
    age_encryption.read_identities()
    storage = get_storage()
    storage.list_objects(deployment_prefix())
    with direct_connection(), platform_context():
        results = []
        for target, hotel_id in targets:
            result = _drill(storage, states.get_state(target, hotel_id=hotel_id))
            results.append(result)
            yield result
        _record(results)


def run_due_drills() -> int:
    """Run the drills that are due, and return the number of drills that passed.

    Does nothing if BACKUP_URL or BACKUP_IDENTITY_FILE is not set: drills can run on another machine, with the command
    `restore_drill`.
    """
    if not is_configured() or not settings.BACKUP_IDENTITY_FILE:
        return 0
    deadline = time.monotonic() + TASK_SECONDS
    with direct_connection(), platform_context(), worker_slot("drills") as has_slot:
        if not has_slot:
            return 0
        storage = get_storage()
        results = []
        for target in states.find_due_drills():
            if time.monotonic() > deadline:
                break
            with states.try_lock(f"drill-{target}") as is_acquired:
                if is_acquired and states.is_drill_due(target):
                    results.append(_drill(storage, states.get_state(target)))
        if results:
            _record(results)
        return sum(not result.error for result in results)


def _drill(storage: Storage, state: BackupState) -> DrillResult:
    started = time.monotonic()
    newest: StoredBackup | None = None
    rows = None
    error = ""
    try:
        backups = list_backups(storage, target=state.target)
        newest = next(iter(backups), None)
        if newest is None:
            raise StoredBackupNotFound(f"{storage.place} contains no backup of {state.target}.")
        # A process that was killed may have stored a newer backup without recording it.
        if state.name and state.name not in {backup.name for backup in backups}:
            raise StoredBackupNotFound(
                f"{storage.place} does not contain {state.name}, which was stored last."
            )
        rows = _restore(storage, newest)
    except DomainError as problem:
        error = problem.detail
    except (DatabaseError, OSError, tarfile.TarError, ImproperlyConfigured, pgtools.ProgramFailed) as problem:
        error = str(problem).strip()
    except SoftTimeLimitExceeded:
        error = f"The drill took longer than the {settings.CELERY_TASK_SOFT_TIME_LIMIT} seconds of a task."
    if error:
        log.error("backup.drill_failed", target=state.target, error=error)
    states.store_drill(state, name=newest.name if newest else "", error=error)
    return DrillResult(
        target=state.target,
        slug=state.hotel.slug if state.hotel else "",
        name=newest.name if newest else "",
        created_at=newest.created_at if newest else None,
        rows=None if error else rows,
        seconds=time.monotonic() - started,
        error=error,
    )


def _record(results: Sequence[DrillResult]) -> None:
    failures = {result.target: result.error for result in results if result.error}
    detail = {"failures": dict(list(failures.items())[:_MAX_LISTED])}
    with transaction.atomic():
        backups_drilled.send(
            BackupState, passed=len(results) - len(failures), failed=len(failures), detail=detail
        )


@contextlib.contextmanager
def open_decrypted(storage: Storage, backup: StoredBackup) -> Iterator[BinaryIO]:
    """Yield a temporary file without a name that contains the decrypted backup.

    Raises StoredBackupNotFound, UnreadableBackup, InvalidBackupSettings, BackupStorageUnavailable and BackupFailed.
    """
    with open_temporary_file() as plain:
        try:
            with storage.open_reader(backup.name) as source:
                age_encryption.decrypt(source, plain, name=backup.name)
            plain.seek(0)
        except OSError as error:
            raise BackupFailed(
                f"{backup.name} cannot be copied to a temporary file in {tempfile.gettempdir()}: {error.strerror}. "
                "Free space there, or set TMPDIR to a folder on a larger disk."
            ) from error
        yield plain


def _restore(storage: Storage, backup: StoredBackup) -> int | None:
    """Restore a backup beside the originals. Return the number of restored rows, or None for files of a server."""
    with open_decrypted(storage, backup) as file:
        if backup.kind is Kind.HOTEL:
            manifest = rehearse_restore(file, name=backup.name)
            if UUID(manifest.hotel["id"]) != backup.hotel_id:
                raise CorruptBackup(
                    f"{backup.name} contains the hotel {manifest.slug}, which is another hotel."
                )
            return manifest.rows
        if backup.kind is Kind.SERVER:
            _verify_files(file)
            return None
        return _restore_dump(file)


def _restore_dump(file: BinaryIO) -> int:
    """Restore a dump to a separate database, and compare the number of rows of each table with the manifest."""
    manifest = dumps.read_manifest(file)
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        (oid,) = cursor.fetchone()
    # The database of a drill always has this name, so the next drill drops the database that a killed drill has left.
    database = f"hotelagent_drill_{oid}"
    with states.try_lock("drill-database") as is_acquired:
        if not is_acquired:
            raise RestoreFailed("Another drill restores a database now. Try again when it has finished.")
        try:
            restore_dump(file, database=database, replace=True)
            restored = _count_rows_of(database, list(manifest["rows"]))
        finally:
            pgtools.run("dropdb", "--if-exists", "--force", database)
    if differing := [
        f"{schema}.{table} has {restored.get(schema, {}).get(table)} rows instead of {count}"
        for schema, tables in manifest["rows"].items()
        for table, count in tables.items()
        if restored.get(schema, {}).get(table) != count
    ]:
        raise RestoreFailed(
            f"The restored database differs from the backup: {', '.join(differing[:_MAX_LISTED])}."
        )
    return sum(sum(tables.values()) for tables in restored.values())


def restore_dump(file: BinaryIO, *, database: str, replace: bool = False) -> None:
    """Create a database on the server of the direct connection, and restore a dump to it.

    The file's position must be behind the manifest. The owner needs CREATEDB. `replace` drops an existing database of
    this name first. Raises ProgramFailed.
    """
    if replace:
        pgtools.run("dropdb", "--if-exists", "--force", database)
    pgtools.run("createdb", "--template=template0", "--encoding=UTF8", database)
    pgtools.send_input(
        "pg_restore", "--exit-on-error", "--clean", "--if-exists", source=file, database=database
    )


def _count_rows_of(database: str, schemas: Sequence[str]) -> dict[str, dict[str, int]]:
    backend: Any = type(connections[DEFAULT_DB_ALIAS])
    restored = backend({**direct_settings(), "NAME": database}, DEFAULT_DB_ALIAS)
    with contextlib.closing(restored), restored.cursor() as cursor:
        return {schema: dumps.count_rows(cursor, schema) for schema in schemas}


def _verify_files(file: BinaryIO) -> None:
    """Unpack the files of a server to a temporary folder, and verify them and their WAL with pg_verifybackup."""
    with tempfile.TemporaryDirectory(prefix="hotelagent-drill-") as folder:
        with tarfile.open(fileobj=file, mode="r|gz") as archive:
            archive.extractall(folder, filter="tar")
        pgtools.run("pg_verifybackup", "--quiet", folder)
