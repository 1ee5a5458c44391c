"""A hotel that goes into a file and comes back, and what it left."""

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
    out = StringIO()
    call_command("backup_hotel", slug, to=file, json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def restore(file: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("restore_hotel", file, json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def erase(hotel: Hotel) -> None:
    with platform_context():
        if Hotel.objects.get(id=hotel.id).status == "active":
            services.suspend_hotel(hotel_id=hotel.id)
    deletion.delete_hotel(hotel_id=hotel.id, confirm=hotel.slug)


def letters(schema: str) -> list[str]:
    """Its dump, in no order: rows come back in that of their keys."""
    return sorted(sql.dump(schema).splitlines())


def hotel_called(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


class Traces:
    """What stands in the database before, so that a failed restore can be seen to have left nothing."""

    def __init__(self) -> None:
        self.before = self._now()

    def _now(self) -> tuple[Any, ...]:
        tables = ("tenants_hotel", "tenants_domain", "tenants_contactidentifier", "tenants_dueitem")
        rows = [sql.ask(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]
        # Roles are the whole server's, and others make hotels meanwhile.
        roles_here = sql.ask(
            "SELECT DISTINCT r.rolname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid "
            "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY 1"
        )
        return sql.schemas(), roles_here, rows

    def are_none(self) -> bool:
        return self.before == self._now() and not sql.ask(
            "SELECT 1 FROM audit_event WHERE event = 'hotel.restored'"
        )
