"""Backups of targets (hotels, the platform, the database, the server) to the storage, and their rotation.

The plain text of a hotel's backup is only in a temporary file without a name, which the operating system deletes when
the process ends. Dumps are encrypted while pg_dump writes them.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast
from uuid import UUID

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, transaction

from tenants import selectors
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.database.connections import direct_connection
from tenants.errors import DomainError
from tenants.lifecycle.backup.create import write_backup
from tenants.lifecycle.backup.errors import BackupFailed
from tenants.lifecycle.stored_backups import age_encryption, dumps, states
from tenants.lifecycle.stored_backups.errors import BackupInProgress, BackupStorageUnavailable
from tenants.lifecycle.stored_backups.names import (
    Kind,
    StoredBackup,
    deployment_prefix,
    kind_of,
    make_name,
    parse_name,
)
from tenants.lifecycle.stored_backups.rotation import Retention, find_expired
from tenants.lifecycle.stored_backups.storage import Storage, get_storage, is_configured
from tenants.models import BackupState, Hotel
from tenants.signals import backup_failed, backup_stored, hotel_backed_up

log = structlog.get_logger(__name__)

#: The maximum number of processes of a deployment that make scheduled backups at the same time, and also of processes
#: that run restore drills at the same time.
MAX_WORKERS = 2
#: A task begins no further backup after this number of seconds, because CELERY_TASK_SOFT_TIME_LIMIT would end it.
TASK_SECONDS = 60.0


def make_backups(targets: Iterable[tuple[str, UUID | None]]) -> Iterator[StoredBackup | DomainError]:
    """Back up targets to the storage now, and delete their expired backups. Each target is a name and a hotel's id.

    Yield the backup of each target, or the reason why no backup was made. The reason is also stored and recorded as an
    audit event. Raises InvalidBackupSettings before the first backup.
    """
    age_encryption.read_recipients()
    storage = get_storage()
    with direct_connection(), platform_context():
        for target, hotel_id in targets:
            try:
                with states.try_lock(target) as is_acquired:
                    if not is_acquired:
                        raise BackupInProgress(
                            f"Another process makes a backup of {target} now. Try again when it has finished."
                        )
                    backup = _make_locked_backup(storage, states.get_state(target, hotel_id=hotel_id))
            except DomainError as error:
                yield error
            else:
                yield backup


def make_due_backups() -> int:
    """Make the scheduled backups that are due, one after the other, and return the number of complete backups.

    At most MAX_WORKERS processes do this at the same time. Two processes never back up the same target. If the
    backup of one target fails, the other targets are backed up nevertheless. Does nothing if BACKUP_URL is not set.
    """
    if not is_configured():
        return 0
    deadline = time.monotonic() + TASK_SECONDS
    with direct_connection(), platform_context(), worker_slot("backups") as has_slot:
        if not has_slot:
            return 0
        states.add_missing_targets()
        storage = get_storage()
        made = 0
        for target in states.find_due_backups():
            if time.monotonic() > deadline:
                break
            with states.try_lock(target) as is_acquired:
                # Another worker may have made this backup since this worker read the list of due backups.
                if is_acquired and states.is_backup_due(target):
                    with contextlib.suppress(DomainError):
                        _make_locked_backup(storage, states.get_state(target))
                        made += 1
        return made


@contextlib.contextmanager
def worker_slot(work: str) -> Iterator[bool]:
    """Yield whether fewer than MAX_WORKERS other processes do this work. Needs the direct connection."""
    with contextlib.ExitStack() as stack:
        yield any(stack.enter_context(states.try_lock(f"{work}-{number}")) for number in range(MAX_WORKERS))


def _make_locked_backup(storage: Storage, state: BackupState) -> StoredBackup:
    name = make_name(state.target, database_now())
    try:
        with storage.open_writer(name) as file:
            counting = _CountingFile(file)
            detail = _write(state, cast("BinaryIO", counting))
        backup = parse_name(name, size=counting.size)
        if backup is None:
            raise AssertionError(f"make_name returned {name}, which parse_name does not accept")
    except SoftTimeLimitExceeded:
        error = (
            f"The backup took longer than the {settings.CELERY_TASK_SOFT_TIME_LIMIT} seconds of a task. "
            "Back up this hotel with `manage.py backup_all --hotel SLUG` from cron."
        )
        _record_failure(state, error)
        raise BackupFailed(error) from None
    except (DomainError, DatabaseError) as error:
        text = error.detail if isinstance(error, DomainError) else str(error).strip()
        _record_failure(state, text)
        if isinstance(error, DomainError):
            raise
        raise BackupFailed(text) from error
    with transaction.atomic():
        states.store_success(state, backup)
        if state.hotel is not None:
            hotel_backed_up.send(Hotel, hotel=state.hotel, detail={**detail, "name": name})
        else:
            backup_stored.send(BackupState, target=state.target, detail={**detail, "name": name})
    log.info("backup.stored", target=state.target, bytes=backup.size)
    _rotate(storage, state)
    return backup


def _write(state: BackupState, file: BinaryIO) -> dict[str, Any]:
    """Write the encrypted backup of a target. Return the detail of the audit event."""
    kind = kind_of(state.target)
    if kind is Kind.SERVER:
        dumps.write_server_backup(file)
        return {}
    if kind is not Kind.HOTEL:
        manifest = dumps.write_dump(kind, file)
        return {"rows": sum(sum(tables.values()) for tables in manifest["rows"].values())}
    hotel = selectors.get_hotel(hotel_id=state.hotel_id)
    with open_temporary_file() as plain:
        name = f"A temporary file in {tempfile.gettempdir()}"
        written = write_backup(plain, hotel=hotel, name=name, progress=lambda _name, _rows: None)
        plain.seek(0)
        age_encryption.encrypt(plain, file)
        return written.audit_detail()


@contextlib.contextmanager
def open_temporary_file() -> Iterator[BinaryIO]:
    """Yield an empty file without a name. The operating system deletes the file if the process is killed.

    Raises BackupFailed if no file can be created in TMPDIR.
    """
    try:
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed below
    except OSError as error:
        raise BackupFailed(
            f"No temporary file can be created: {error.strerror}. Set TMPDIR to a folder."
        ) from error
    try:
        yield file
    finally:
        # If the disk is full, close() cannot write the buffered bytes. These bytes are not needed any more.
        with contextlib.suppress(OSError):
            file.close()


def _record_failure(state: BackupState, error: str) -> None:
    log.error("backup.failed", target=state.target, error=error)
    with transaction.atomic():
        states.store_failure(state, error)
        backup_failed.send(
            BackupState, target=state.target, hotel=state.hotel, detail={"error": error[:1000]}
        )


def _rotate(storage: Storage, state: BackupState) -> None:
    """Delete the expired backups of a target. A failure is only logged, because the backup itself is complete."""
    try:
        storage.delete_abandoned_uploads(_prefix_of(state.name))
        expired = find_expired(
            list_backups(storage, target=state.target), get_retention(), verified={state.drilled_name}
        )
        for backup in expired:
            storage.delete(backup.name)
    except BackupStorageUnavailable as error:
        log.warning("backup.rotation_failed", target=state.target, error=error.detail)
    else:
        log.info("backup.rotated", target=state.target, deleted=len(expired))


def get_retention() -> Retention:
    return Retention(
        daily=settings.BACKUP_KEEP_DAILY,
        weekly=settings.BACKUP_KEEP_WEEKLY,
        monthly=settings.BACKUP_KEEP_MONTHLY,
    )


def list_backups(storage: Storage, *, target: str = "") -> list[StoredBackup]:
    """Return this deployment's backups in the storage, the newest first. `target` selects those of one target.

    Objects whose names are not those of backups are skipped. Raises BackupStorageUnavailable.
    """
    prefix = f"{deployment_prefix()}{target}/" if target else deployment_prefix()
    found = (parse_name(name, size=size) for name, size in storage.list_objects(prefix))
    backups = [backup for backup in found if backup is not None and target in {"", backup.target}]
    return sorted(backups, key=lambda backup: (backup.created_at, backup.name), reverse=True)


def _prefix_of(name: str) -> str:
    return name.rpartition("/")[0] + "/"


class _CountingFile:
    """A file for writing that counts its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()
