"""The errors of backups and restores."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class BackupConflict(DomainError):
    """The state of the hotel or of the output file does not allow a backup. No file was written."""

    code = "backup-conflict"
    title = _("The hotel cannot be backed up in its current state")


class BackupFailed(DomainError):
    """The backup file could not be written or verified, and was removed."""

    code = "backup-failed"
    status = 500
    title = _("The backup could not be written")


class InvalidBackup(DomainError):
    code = "invalid-backup"
    status = 422
    title = _("The file is not a hotel backup")


class CorruptBackup(DomainError):
    """The file was truncated or changed after it was written."""

    code = "corrupt-backup"
    title = _("The backup is corrupt")


class UnsupportedBackupVersion(DomainError):
    """A later version of hotelagent wrote the backup. The member `version` is the version that wrote the backup."""

    code = "unsupported-backup-version"
    title = _("The backup needs a later version of hotelagent")


class RestoreFailed(DomainError):
    """The database refused the data, or the restored data differ from the file. Nothing was restored."""

    code = "restore-failed"
    status = 500
    title = _("The hotel could not be restored")
