"""The examination of the stored backups: their settings, their storage, their age and the restore drills."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError

from hotelagent.monitoring.doctor.findings import Finding, ok, problem, warning
from tenants.context import platform_context
from tenants.errors import DomainError
from tenants.lifecycle.stored_backups.age_encryption import read_recipients
from tenants.lifecycle.stored_backups.names import deployment_prefix
from tenants.lifecycle.stored_backups.storage import get_storage, is_configured
from tenants.lifecycle.stored_backups.summary import BackupSummary, read_summary

#: Restore drills run every seven days. If the last drill of a hotel is older than this, the examination warns.
_OLD_DRILL = timedelta(days=10)


def examine_backups() -> Iterator[Finding]:
    """Examine whether each hotel has a good backup of the last night that can be restored."""
    if not is_configured():
        yield warning(
            "backups",
            "No backups are made automatically, because BACKUP_URL is not set.",
            'Set BACKUP_URL and BACKUP_RECIPIENTS. See "Back up and restore all hotels" in deploy/runbook.md.',
        )
        return
    try:
        read_recipients()
        get_storage().list_objects(f"{deployment_prefix()}platform/")
    except DomainError as error:
        yield problem("backups", error.detail, "Correct the setting, then run `manage.py backup_all`.")
        return
    try:
        with platform_context():
            summary = read_summary()
    except DatabaseError:
        return  # `examine_database` reports this error
    yield from _examine_age(summary)
    yield from _examine_drills(summary)


def _examine_age(summary: BackupSummary) -> Iterator[Finding]:
    hours = summary.oldest_seconds / 3600
    if summary.overdue:
        reasons = f" Last errors: {'; '.join(summary.errors)}" if summary.errors else ""
        yield problem(
            "backups",
            f"Hotels without a good backup of the last 36 hours: {summary.overdue} "
            f"({', '.join(summary.overdue_slugs)}). The oldest is {hours:.0f} hours old.{reasons}",
            "Correct the reason, and run `manage.py backup_all`. Scheduled backups need a worker and beat.",
        )
    else:
        yield ok("backups", f"{summary.targets} hotels, the oldest last backup is {hours:.0f} hours old.")


def _examine_drills(summary: BackupSummary) -> Iterator[Finding]:
    days = summary.oldest_drill_seconds / 86_400
    if summary.failed_drills:
        yield problem(
            "backups",
            f"Backups that a drill could not restore: {summary.failed_drills} ({'; '.join(summary.drill_errors)})",
            "Run `manage.py backup_all`, then `manage.py restore_drill`.",
        )
    elif summary.oldest_drill_seconds > _OLD_DRILL.total_seconds():
        place = (
            ""
            if settings.BACKUP_IDENTITY_FILE
            else " with BACKUP_IDENTITY_FILE on a machine that has the private key"
        )
        yield warning(
            "backups",
            f"The last restore drill of a hotel was {days:.0f} days ago.",
            f"Run `manage.py restore_drill`{place}.",
        )
