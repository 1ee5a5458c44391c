"""`manage.py` with one migration more, which makes an index concurrently: `-m tests.tenants.indexing migrate`."""

import sys
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import execute_from_command_line
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

INDEX = "locks_room_floor"
_load = MigrationLoader.load_disk


def operation() -> AddIndexConcurrently:
    return AddIndexConcurrently("room", models.Index(fields=["floor"], name=INDEX))


def load_disk(loader: MigrationLoader) -> None:
    _load(loader)
    last = max(name for label, name in loader.disk_migrations if label == "locks")
    body = {"operations": [operation()], "dependencies": [("locks", last)], "atomic": False}
    loader.disk_migrations["locks", "9000_added"] = type("Migration", (Migration,), body)(
        "9000_added", "locks"
    )


if __name__ == "__main__":
    patched: Any = MigrationLoader
    patched.load_disk = load_disk
    execute_from_command_line(sys.argv)
