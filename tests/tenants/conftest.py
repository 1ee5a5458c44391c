"""Migrations that exist for one test."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

AddMigration = Callable[..., None]


@pytest.fixture
def add_migration(monkeypatch: pytest.MonkeyPatch) -> AddMigration:
    """`add_migration("locks", [operation, ...], atomic=True)`: as if it stood in the app's folder, the last one."""
    added: list[tuple[str, str, list[Any], bool]] = []
    load = MigrationLoader.load_disk

    def load_disk(self: MigrationLoader) -> None:
        load(self)
        for app, name, operations, atomic in added:
            last = max(found for label, found in self.disk_migrations if label == app)
            body = {"operations": operations, "dependencies": [(app, last)], "atomic": atomic}
            self.disk_migrations[app, name] = type("Migration", (Migration,), body)(name, app)

    def add(app: str, operations: list[Any], *, atomic: bool = True) -> None:
        added.append((app, f"9{len(added):03d}_added", operations, atomic))

    monkeypatch.setattr(MigrationLoader, "load_disk", load_disk)
    return add
