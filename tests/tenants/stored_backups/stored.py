"""Helpers that run the commands of stored backups in tests."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from tenants.context import platform_context
from tenants.models import BackupState


def run(command: str, *arguments: str, **options: Any) -> Any:
    """Run a command with `--json`, and return the document that it prints, also if its exit code is 1."""
    out = StringIO()
    try:
        call_command(command, *arguments, json=True, stdout=out, stderr=StringIO(), **options)
    except CommandError:
        if not out.getvalue():
            raise
    return json.loads(out.getvalue())


def files_in(folder: Path) -> list[Path]:
    """Return all files below the folder, hidden files included."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def state_of(target: str) -> BackupState:
    with platform_context():
        return BackupState.objects.get(target=target)
