"""`manage.py` with an additional migration that creates an index concurrently.

Run as `python -m tests.tenants.manage_with_index_migration migrate`.
"""

import sys
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import execute_from_command_line
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

INDEX = "locks_room_floor"
_load_disk = MigrationLoader.load_disk


def operation() -> AddIndexConcurrently:
    return AddIndexConcurrently("room", models.Index(fields=["floor"], name=INDEX))


def load_disk_with_index_migration(loader: MigrationLoader) -> None:
    _load_disk(loader)
    last = max(name for label, name in loader.disk_migrations if label == "locks")
    attributes = {"operations": [operation()], "dependencies": [("locks", last)], "atomic": False}
    loader.disk_migrations["locks", "9000_added"] = type("Migration", (Migration,), attributes)(
        "9000_added", "locks"
    )


if __name__ == "__main__":
    loader_class: Any = MigrationLoader
    loader_class.load_disk = load_disk_with_index_migration
    execute_from_command_line(sys.argv)
