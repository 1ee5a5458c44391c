"""Helpers that run the backup, restore and deletion commands in tests, and compare databases."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from tenants import services
from tenants.context import platform_context
from tenants.lifecycle import deletion
from tenants.models import Hotel
from tests.tenants import sql


def backup(file: Path, slug: str = "alpha", **options: Any) -> dict[str, Any]:
    """Run `backup_hotel --json` and return its result."""
    out = StringIO()
    call_command("backup_hotel", slug, to=file, json=True, stdout=out, **options)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def restore(file: Path, **options: Any) -> dict[str, Any]:
    """Run `restore_hotel --json` and return its result."""
    out = StringIO()
    call_command("restore_hotel", file, json=True, stdout=out, **options)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def delete(hotel: Hotel) -> None:
    """Suspend the hotel if it is active, and delete it."""
    with platform_context():
        if Hotel.objects.get(id=hotel.id).status == "active":
            services.suspend_hotel(hotel_id=hotel.id)
    deletion.delete_hotel(hotel_id=hotel.id, confirm=hotel.slug)


def sorted_dump(schema: str) -> list[str]:
    """Return the lines of the schema's dump in sorted order, because a restore changes the order of rows."""
    return sorted(sql.dump_schema(schema).splitlines())


def get_hotel(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


class DatabaseState:
    """A snapshot of the hotels, schemas, roles and shared rows of the database.

    Tests take a snapshot before a restore that fails, and then check that the restore changed nothing.
    """

    def __init__(self) -> None:
        self.state = self._read()

    def _read(self) -> tuple[Any, ...]:
        tables = ("tenants_hotel", "tenants_domain", "tenants_contactidentifier", "tenants_dueitem")
        rows = [sql.query(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]
        # Only roles with privileges in this database: other test workers create hotels on the same server.
        roles = sql.query(
            "SELECT DISTINCT r.rolname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid "
            "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY 1"
        )
        return sql.list_schemas(), roles, rows

    def is_unchanged(self) -> bool:
        return self.state == self._read() and not sql.query(
            "SELECT 1 FROM audit_event WHERE event = 'hotel.restored'"
        )
