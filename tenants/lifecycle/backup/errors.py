"""What can be wrong with a backup, and with a hotel that is to be backed up or restored."""

from tenants.errors import DomainError


class BackupRefused(DomainError):
    """The hotel can't be backed up as it is. No file is written."""

    code = "backup-refused"
    title = "The hotel can't be backed up as it is"


class BackupFailed(DomainError):
    """Writing the file, or reading it back, failed; nothing of it is left."""

    code = "backup-failed"
    status = 500
    title = "The backup could not be written"


class NotABackup(DomainError):
    code = "not-a-backup"
    status = 422
    title = "This is not a hotel's backup"


class BackupDamaged(DomainError):
    """The file is a hotel's backup, and not as it was written: cut off, or changed on its way."""

    code = "backup-damaged"
    title = "The backup is damaged"


class BackupTooNew(DomainError):
    """The backup was made by a later version of hotelagent."""

    code = "backup-too-new"
    title = "The backup is newer than this code"


class RestoreFailed(DomainError):
    """What was restored is not what the file says, or the database refused it. Nothing of it is left."""

    code = "restore-failed"
    status = 500
    title = "The hotel could not be restored"
