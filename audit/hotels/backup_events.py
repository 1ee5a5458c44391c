"""The types of audit events about stored backups and restore drills. They are in the platform's audit trail."""

from django.utils.translation import gettext_lazy as _

from audit.registry import Category, Outcome, Severity, register

# The field `target` is `platform`, `database`, `server`, or `hotels/` with the id of the hotel.
BACKUP_STORED = register(
    "backup.stored",
    description=_("{actor} backed up: {target}"),
    fields=("target", "detail"),
    category=Category.DATA_ACCESS,
    severity=Severity.NOTICE,
)
BACKUP_FAILED = register(
    "backup.failed",
    description=_("A backup failed: {target}"),
    fields=("target", "detail"),
    category=Category.OPERATION,
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
# `passed` is the number of backups whose restored data were complete. `failed` is the number of the other backups.
BACKUPS_DRILLED = register(
    "backup.drilled",
    description=_("{actor} restored backups for a test. Passed: {passed}, failed: {failed}"),
    fields=("passed", "failed", "detail"),
    category=Category.OPERATION,
    severity=Severity.NOTICE,
)
