"""Queries for the hotels that are behind and for the migrations that are applied in their schemas."""

from dataclasses import dataclass

from django.db import connection

from tenants.database import quoting
from tenants.models import Hotel, HotelStatus

#: Number of schemas that one query reads. Each one takes a lock, and the lock table of a default server has room for
#: 6,400.
_SCHEMAS_PER_QUERY = 500

AppliedMigrations = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HotelGroup:
    """Hotels with the same applied migrations, which therefore need the same statements."""

    applied: AppliedMigrations
    hotels: list[Hotel]


def find_hotels_behind(target_version: str, *, slugs: list[str] | None = None) -> list[Hotel]:
    """Return the provisioned hotels that do not have the schema version `target_version`, in one query."""
    hotels = Hotel.objects.exclude(status=HotelStatus.PROVISIONING).exclude(schema_version=target_version)
    return list(hotels.filter(slug__in=slugs) if slugs else hotels)


def group_by_applied_migrations(hotels: list[Hotel]) -> list[HotelGroup]:
    """Read the migrations that are applied in each hotel's schema, and return the groups, the largest first."""
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
    # One query over all schemas: PostgreSQL plans it in milliseconds, and a query per schema is a round trip each.
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
