"""A hotel to back up, and migrations that exist for one test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from tenants import services
from tenants.models import Hotel

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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sol.hotel"


@pytest.fixture
def sol() -> Hotel:
    return services.create_hotel(
        slug="sol", name="Hotel Sol", time_zone="Europe/Madrid", language="es", domains=["hotel-sol.example"]
    )
