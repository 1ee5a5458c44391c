"""Queries for the hotels that lack migrations, and for the applied migrations of each hotel."""

from dataclasses import dataclass

from django.db import connection

from tenants.database import quoting
from tenants.models import Hotel, HotelStatus

#: Maximum number of schemas per query. Each schema needs a lock, and PostgreSQL allows 6,400 locks by default.
_SCHEMAS_PER_QUERY = 500

AppliedMigrations = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HotelGroup:
    """Hotels in which the same migrations are applied, so that the same SQL statements can migrate all of them."""

    applied: AppliedMigrations
    hotels: list[Hotel]


def find_hotels_behind(target_version: str, *, slugs: list[str] | None = None) -> list[Hotel]:
    """Return the provisioned hotels whose schema version is not `target_version`. Runs one query."""
    hotels = Hotel.objects.exclude(status=HotelStatus.PROVISIONING).exclude(schema_version=target_version)
    return list(hotels.filter(slug__in=slugs) if slugs else hotels)


def group_by_applied_migrations(hotels: list[Hotel]) -> list[HotelGroup]:
    """Group the hotels by their applied migrations and return the groups, the largest first."""
    groups: dict[AppliedMigrations, list[Hotel]] = {}
    for start in range(0, len(hotels), _SCHEMAS_PER_QUERY):
        batch = hotels[start : start + _SCHEMAS_PER_QUERY]
        applied = _read_applied_migrations(batch)
        for hotel in batch:
            groups.setdefault(frozenset(applied.get(str(hotel.id), ())), []).append(hotel)
    return sorted(
        (HotelGroup(applied, members) for applied, members in groups.items()),
        key=lambda group: -len(group.hotels),
    )


def _read_applied_migrations(hotels: list[Hotel]) -> dict[str, set[tuple[str, str]]]:
    # One query reads all schemas. A query per schema would need a round trip for each schema.
    query = " UNION ALL ".join(
        f"SELECT {quoting.literal(str(hotel.id))}, app, name "  # noqa: S608
        f"FROM {quoting.qualified_name(hotel.schema, 'django_migrations')}"
        for hotel in hotels
    )
    applied: dict[str, set[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(query)
        for hotel_id, app, name in cursor.fetchall():
            applied.setdefault(hotel_id, set()).add((app, name))
    return applied
