"""The examination of this machine: the system checks, and the free space of the disks."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS

from hotelagent.core import metrics
from hotelagent.monitoring.doctor.findings import Finding, ok, problem, warning

#: Disks with less free space than this share are reported.
_LITTLE_SPACE = 0.1
_GIBIBYTE = 1 << 30


def examine_settings() -> Iterator[Finding]:
    """Run the system checks, including the database checks. If DEBUG is off, run the deployment checks too.

    The checks examine settings, logins, roles, the direct connection, key files, packages and static files.
    """
    messages = checks.run_checks(include_deployment_checks=not settings.DEBUG, databases=[DEFAULT_DB_ALIAS])
    found = [message for message in messages if message.level >= checks.WARNING and not message.is_silenced()]
    for message in found:
        report = problem if message.level >= checks.ERROR else warning
        yield report("settings", f"{message.msg} ({message.id})", message.hint or "")
    if not found:
        yield ok("settings", "The system checks found nothing.")


def examine_disks() -> Iterator[Finding]:
    """Examine the free space of the disks on which this process writes files."""
    folders = {
        Path(tempfile.gettempdir()): "temporary files",
        Path(settings.BASE_DIR): "the program",
        metrics.multiprocess_directory() or Path(tempfile.gettempdir()): "metrics",
    }
    little = {}
    for folder, purpose in folders.items():
        usage = shutil.disk_usage(folder)
        if usage.free < usage.total * _LITTLE_SPACE and usage.free < 10 * _GIBIBYTE:
            little[folder] = (purpose, usage.free)
    for folder, (purpose, free) in little.items():
        yield warning(
            "disk",
            f"Only {free / _GIBIBYTE:.1f} GiB are free in {folder} ({purpose}).",
            "Delete files that are not needed, or enlarge the disk.",
        )
    if not little:
        yield ok("disk", "At least a tenth or 10 GiB of each disk is free.")
