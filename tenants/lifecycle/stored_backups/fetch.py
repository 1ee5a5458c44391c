"""Functions that use stored backups: they decrypt a backup to a file, and restore the platform from such a file."""

import shutil
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from tenants.context import platform_context
from tenants.database import quoting
from tenants.database.connections import direct_connection
from tenants.database.placement import list_hotel_references
from tenants.lifecycle import pgtools
from tenants.lifecycle.backup import output_file
from tenants.lifecycle.backup.errors import BackupFailed, CorruptBackup, InvalidBackup, RestoreFailed
from tenants.lifecycle.stored_backups import dumps
from tenants.lifecycle.stored_backups.drill import open_decrypted
from tenants.lifecycle.stored_backups.errors import StoredBackupNotFound
from tenants.lifecycle.stored_backups.names import Kind, StoredBackup, parse_name
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.unaudited import unaudited


def fetch_backup(*, name: str, path: Path) -> tuple[StoredBackup, int]:
    """Decrypt a backup to a file that only its owner can read. Return the backup and the size of the file in bytes.

    A backup of the whole database is written without its manifest, so that pg_restore can read the file. Raises
    StoredBackupNotFound, UnreadableBackup, BackupConflict, InvalidBackupSettings, BackupStorageUnavailable and
    BackupFailed.
    """
    output_file.refuse_existing_file(path, overwrite=False)
    backup = parse_name(name)
    if backup is None:
        raise StoredBackupNotFound(
            f"{name} is not the name of a backup. `manage.py list_backups` prints the names."
        )
    with open_decrypted(get_storage(), backup) as plain:
        if backup.kind is Kind.DATABASE:
            dumps.read_manifest(plain)
        try:
            with output_file.new_file(path) as (file, temporary_path):
                shutil.copyfileobj(plain, file, 1 << 20)
                size = file.tell()
                output_file.flush_to_disk(file)
                temporary_path.replace(path)
        except OSError as error:
            raise BackupFailed(
                f"{path} cannot be written: {error.strerror}. The incomplete file was deleted."
            ) from error
        return backup, size


@unaudited("The database is new, and its audit trail is that of the backup.")
def restore_platform(*, path: Path) -> list[str]:
    """Restore the platform's own tables to the empty database of the direct connection, without the rows of hotels.

    Return the slugs of the hotels that the platform had. If the restore fails, the database is not complete: drop it,
    and create it again. Raises InvalidBackup, CorruptBackup and RestoreFailed.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidBackup(f"{path} cannot be read: {error.strerror}.") from error
    with file, direct_connection(), platform_context():
        manifest = dumps.read_manifest(file)
        if manifest["kind"] != Kind.PLATFORM:
            raise CorruptBackup("The file is not a backup of the platform's own tables.")
        _refuse_used_database()
        try:
            database = str(connection.settings_dict["NAME"])
            pgtools.send_input(
                "pg_restore",
                "--exit-on-error",
                "--clean",
                "--if-exists",
                "--no-acl",
                source=file,
                database=database,
            )
        except (ImproperlyConfigured, pgtools.ProgramFailed) as error:
            raise RestoreFailed(
                f"{error}\nDrop the database, create it again, and repeat the command."
            ) from error
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT slug FROM tenants_hotel ORDER BY slug")
            slugs = [slug for (slug,) in cursor.fetchall()]
            for table, column in list_hotel_references():
                cursor.execute(
                    f"DELETE FROM {quoting.qualified_name('public', table)} "  # noqa: S608 - names of our tables
                    f"WHERE {quoting.identifier(column)} IS NOT NULL"
                )
            cursor.execute("DELETE FROM tenants_hotel")
        return slugs


def _refuse_used_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants_hotel') IS NOT NULL")
        if cursor.fetchone()[0]:
            raise RestoreFailed(
                "The database of DATABASE_DIRECT_URL is not empty. Create an empty database first."
            )
