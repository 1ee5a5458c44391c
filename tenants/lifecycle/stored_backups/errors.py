"""The errors of stored backups."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class InvalidBackupSettings(DomainError):
    """A setting of stored backups is missing or not valid. The message names the setting."""

    code = "invalid-backup-settings"
    status = 422
    title = _("The settings of backups are not valid")


class BackupStorageUnavailable(DomainError):
    """The storage refused a request, is full, or does not respond. No half backup is visible in the storage."""

    code = "backup-storage-unavailable"
    status = 503
    title = _("The storage of backups is not available")


class StoredBackupNotFound(DomainError):
    code = "stored-backup-not-found"
    status = 404
    title = _("There is no such backup in the storage")


class UnreadableBackup(DomainError):
    """The stored backup was truncated or changed, or none of the keys can decrypt it."""

    code = "unreadable-backup"
    title = _("The stored backup cannot be decrypted")


class BackupInProgress(DomainError):
    """Another process backs up the same target now."""

    code = "backup-in-progress"
    title = _("Another process is making this backup")
