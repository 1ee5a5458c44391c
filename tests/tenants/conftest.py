"""Fixtures for the tests of tenants: a hotel to back up, and migrations that exist only during one test."""

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
    """Return a function that adds a migration to an app, as if the app's migrations folder contained it."""
    added: list[tuple[str, str, dict[str, Any]]] = []
    load = MigrationLoader.load_disk

    def load_disk(self: MigrationLoader) -> None:
        load(self)
        for app, name, attributes in added:
            last = max(migration for label, migration in self.disk_migrations if label == app)
            body = {**attributes, "dependencies": [(app, last)]}
            self.disk_migrations[app, name] = type("Migration", (Migration,), body)(name, app)

    def add(app: str, operations: list[Any], *, atomic: bool = True, initial: bool = False) -> None:
        attributes = {"operations": operations, "atomic": atomic, "initial": initial}
        added.append((app, f"9{len(added):03d}_added", attributes))

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
