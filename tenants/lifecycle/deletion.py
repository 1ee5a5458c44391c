"""Takes a hotel away for good, and shows that nothing of it is left.

One transaction removes all that the database holds of it, so whatever interrupts this leaves a suspended hotel
that can be erased again. What its keys in Redis held goes before the commit: a cache may be empty at any time.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import ForeignKey, ForeignObjectRel

from tenants.context import platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection
from tenants.errors import DeletionConflict, DeletionIncomplete, HotelNotFound, RedisUnavailable
from tenants.lifecycle.fleet.migration_lock import LOCK_TIMEOUT, hold_migration_lock, retry_on_lock_timeout
from tenants.models import Hotel, HotelStatus
from tenants.signals import hotel_deleted


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was removed: names and numbers, nothing of what was in it."""

    hotel_id: str
    slug: str
    schema: str
    role: str
    #: Table -> rows, of the hotel's own schema.
    tables: dict[str, int]
    #: Table -> rows, of those that hotels share.
    shared: dict[str, int]
    redis_keys: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def erase_hotel(*, hotel_id: UUID, confirm: str) -> Certificate:
    """Erase a suspended hotel: schema, role, shared rows, due items, contacts, keys in Redis. No way back.

    `confirm` is its slug, said again. Takes the direct route, and the lock that `migrate` takes: a migration of
    a hotel whose schema vanishes would find the platform's tables. Committed, and proven by new questions to the
    database and to Redis, when it returns. Raises HotelNotFound, DeletionConflict, MigrationConflict, RedisUnavailable
    (nothing is removed then), and DeletionIncomplete.
    """
    with direct_connection(), platform_context(), hold_migration_lock():
        certificate = retry_on_lock_timeout(lambda: _erase(hotel_id, confirm))
        if left := remains(certificate):
            raise DeletionIncomplete(
                f"{certificate.slug} is erased, but this is left: {', '.join(left)}.", left=left
            )
        return certificate


def remains(certificate: Certificate) -> list[str]:
    """What is left of an erased hotel, each thing by name. Direct route, platform's context.

    Asks the catalog and not the models: a table that no model stands for counts too.
    """
    left = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", [certificate.schema])
        if cursor.fetchone()[0]:
            left.append(f"the schema {certificate.schema}")
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [certificate.role])
        if cursor.fetchone()[0]:
            left.append(f"the role {certificate.role}")
        cursor.execute("SELECT count(*) FROM tenants_hotel WHERE id = %s", [certificate.hotel_id])
        if cursor.fetchone()[0]:
            left.append("its row in tenants_hotel")
    for table, count in _shared_rows(certificate.hotel_id).items():
        if count:
            left.append(f"{count} rows in {table}")
    if keys := len(_redis_keys(certificate.hotel_id, certificate.schema)):
        left.append(f"{keys} keys in Redis")
    return left


@transaction.atomic
def _erase(hotel_id: UUID, confirm: str) -> Certificate:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    _refuse(hotel, confirm)
    tables = _own_rows(hotel.schema)
    shared = _shared_rows(str(hotel.id))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {quoting.identifier(hotel.schema)} CASCADE")
        for table, column in shared_tables():
            cursor.execute(
                f"DELETE FROM {quoting.qualified_name('public', table)} WHERE {quoting.identifier(column)} = %s",  # noqa: S608
                [hotel.id],
            )
        # The role after what it has rights on, the hotel's row after what refers to it.
        if settings.DATABASE_ROLES:
            cursor.execute(roles.drop_role_sql(role=hotel.role))
        cursor.execute("DELETE FROM tenants_hotel WHERE id = %s", [hotel.id])
    certificate = Certificate(
        hotel_id=str(hotel.id),
        slug=hotel.slug,
        schema=hotel.schema,
        role=hotel.role,
        tables=tables,
        shared=shared,
        redis_keys=_forget(_redis_keys(str(hotel.id), hotel.schema)),
    )
    hotel_deleted.send(Hotel, hotel=hotel, detail=certificate.as_json())
    return certificate


def _refuse(hotel: Hotel, confirm: str) -> None:
    if confirm != hotel.slug:
        raise DeletionConflict(f"Nothing is erased: {confirm!r} is not the slug {hotel.slug!r}.")
    if hotel.status != HotelStatus.SUSPENDED:
        raise DeletionConflict(
            f"{hotel.slug} is {hotel.status}; only a suspended hotel can be erased. "
            f"Run `manage.py suspend_hotel {hotel.slug}` first.",
            status=hotel.status,
        )
    with connection.cursor() as cursor:
        if copies := roles.other_databases(cursor, hotel.role):
            raise DeletionConflict(
                f"{hotel.slug} is in other databases of this server too: {', '.join(copies)}. "
                "Erase it there, or drop them, first.",
                databases=copies,
            )


def _own_rows(schema: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE n.nspname = %s AND relkind = 'r' ORDER BY 1",
            [schema],
        )
        tables = [row[0] for row in cursor.fetchall()]
    return _counted(
        (table, f"SELECT count(*) FROM {quoting.qualified_name(schema, table)}")  # noqa: S608
        for table in tables
    )


def _shared_rows(hotel_id: str) -> dict[str, int]:
    hotel = quoting.literal(hotel_id)
    return _counted(
        (
            table,
            (
                f"SELECT count(*) FROM {quoting.qualified_name('public', table)} "  # noqa: S608
                f"WHERE {quoting.identifier(column)} = {hotel}"
            ),
        )
        for table, column in shared_tables()
    )


def _counted(queries: Iterable[tuple[str, str]]) -> dict[str, int]:
    asked = list(queries)
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"({query})" for _table, query in asked))
        return dict(zip((table for table, _query in asked), cursor.fetchone(), strict=True))


def shared_tables() -> list[tuple[str, str]]:
    """The shared tables that say which hotel a row belongs to, and the column that says it.

    By the models: not each of these references is judged by the database.
    """
    return sorted(
        (relation.related_model._meta.db_table, relation.field.column)
        for relation in Hotel._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel) and isinstance(relation.field, ForeignKey)
    )


def _redis_keys(hotel_id: str, schema: str) -> list[bytes]:
    """Its cached values (`tenants.context.make_cache_key`) and its clients' throttles."""
    with _redis() as client:
        patterns = (f"*:{hotel_id}:*", f"throttle:{schema}:*")
        return [key for pattern in patterns for key in client.scan_iter(pattern, count=1_000)]


def _forget(keys: list[bytes]) -> int:
    with _redis() as client:
        for start in range(0, len(keys), 1_000):
            client.unlink(*keys[start : start + 1_000])
    return len(keys)


@contextlib.contextmanager
def _redis() -> Iterator[redis.Redis]:
    try:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            yield client
    except redis.RedisError as error:
        raise RedisUnavailable(f"The hotel's keys can't be looked for: {error}") from error
