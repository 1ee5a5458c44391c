"""Deletion of a hotel, with a check that none of its data remain.

One transaction deletes all data of the hotel in the database. If the transaction is interrupted, the hotel is still
suspended and can be deleted again. The hotel's keys in Redis are deleted before the commit.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from psycopg import errors

from tenants.context import platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection
from tenants.database.logins import get_database_logins
from tenants.database.placement import list_hotel_references
from tenants.errors import DeletionConflict, DeletionIncomplete, HotelNotFound, RedisUnavailable
from tenants.lifecycle.migration_lock import hold_migration_lock, retry_on_lock_timeout, set_lock_timeout
from tenants.models import Hotel, HotelStatus
from tenants.signals import hotel_data_deletion_started, hotel_deleted, hotel_deletion_requested


@dataclass(frozen=True, slots=True)
class DeletionCertificate:
    """A record of a deletion, with names of objects and numbers of rows, but without any of the deleted data."""

    hotel_id: str
    slug: str
    schema: str
    role: str
    #: Number of deleted rows in each table of the hotel's schema.
    tables: dict[str, int]
    #: Number of the hotel's deleted rows in each shared table.
    shared: dict[str, int]
    redis_keys: int
    #: The return values of the receivers of the signal `hotel_data_deletion_started`, such as the last signed
    #: state of the trail.
    records: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def delete_hotel(*, hotel_id: UUID, confirm: str) -> DeletionCertificate:
    """Delete a suspended hotel: its schema, role, rows in the shared tables, and keys in Redis.

    A deletion cannot be undone, so `confirm` must be the hotel's slug. Uses the direct connection and holds the
    migration lock. If the function raises HotelNotFound, DeletionConflict, MigrationConflict or RedisUnavailable,
    nothing was deleted. Raises DeletionIncomplete if data remain after the commit.
    """
    with direct_connection(), platform_context(), hold_migration_lock():
        with _translate_errors(slug=confirm):
            _record_request(hotel_id, confirm)
            certificate = retry_on_lock_timeout(lambda: _delete(hotel_id, confirm))
        if remaining := find_remaining_data(certificate):
            raise DeletionIncomplete(
                f"{certificate.slug} is deleted, but some of its data remain: {', '.join(remaining)}.",
                left=remaining,
            )
        return certificate


def find_remaining_data(certificate: DeletionCertificate) -> list[str]:
    """Return descriptions of the data that remain after a hotel was deleted. Uses the direct connection.

    The queries read the database catalog, so they also find a schema or role that no row of a hotel refers to.
    """
    remaining = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", [certificate.schema])
        if cursor.fetchone()[0]:
            remaining.append(f"the schema {certificate.schema}")
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [certificate.role])
        if cursor.fetchone()[0]:
            remaining.append(f"the role {certificate.role}")
        cursor.execute("SELECT count(*) FROM tenants_hotel WHERE id = %s", [certificate.hotel_id])
        if cursor.fetchone()[0]:
            remaining.append("its row in tenants_hotel")
    for table, count in _count_shared_rows(certificate.hotel_id).items():
        if count:
            remaining.append(f"{count} rows in {table}")
    if keys := len(_find_redis_keys(certificate.hotel_id, certificate.schema)):
        remaining.append(f"{keys} keys in Redis")
    return remaining


@contextlib.contextmanager
def _translate_errors(*, slug: str) -> Iterator[None]:
    """Return a context manager that raises a DeletionConflict for a database error that an operator can resolve."""
    try:
        yield
    except DatabaseError as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg.Error):
            raise
        texts = (cause.diag.message_primary, cause.diag.message_detail)
        reason = ". ".join(text.rstrip(".") for text in texts if text)
        match cause:
            case errors.LockNotAvailable() | errors.DeadlockDetected():
                advice = (
                    "Another session uses tables of the hotel or objects of its role. Find it in pg_stat_activity, "
                    "wait for the end of its transaction or end the session, and delete the hotel again."
                )
            case errors.DependentObjectsStillExist():
                advice = "Drop the dependent objects, or give them another owner, and delete the hotel again."
            case errors.InsufficientPrivilege():
                advice = (
                    "As an administrator, grant the missing privilege to the login of DATABASE_DIRECT_URL (for a role: "
                    "GRANT <role> TO <login> WITH ADMIN OPTION), and delete the hotel again."
                )
            case errors.OutOfMemory():
                advice = "Increase max_locks_per_transaction, restart PostgreSQL, and delete the hotel again."
            case _:
                raise
        raise DeletionConflict(f"{slug} was not deleted: {reason}. {advice}") from error


def _record_request(hotel_id: UUID, confirm: str) -> None:
    """Record the deletion request in a separate transaction, so that a failed deletion leaves an audit event."""
    with transaction.atomic():
        hotel_deletion_requested.send(Hotel, hotel=_lock_deletable_hotel(hotel_id, confirm), detail={})


@transaction.atomic
def _delete(hotel_id: UUID, confirm: str) -> DeletionCertificate:
    hotel = _lock_deletable_hotel(hotel_id, confirm)
    records: dict[str, Any] = {}
    responses: list[tuple[Any, Any]] = hotel_data_deletion_started.send(Hotel, hotel=hotel)
    for _receiver, found in responses:
        if isinstance(found, dict):
            records |= found
    tables = _count_rows(hotel.schema)
    shared = _count_shared_rows(str(hotel.id))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {quoting.identifier(hotel.schema)} CASCADE")
        for table, column in list_hotel_references():
            cursor.execute(
                f"DELETE FROM {quoting.qualified_name('public', table)} WHERE {quoting.identifier(column)} = %s",  # noqa: S608
                [hotel.id],
            )
        # A role with privileges cannot be dropped, so the schema is dropped before the role.
        if settings.DATABASE_ROLES:
            roles.drop_role(cursor, role=hotel.role, logins=get_database_logins(cursor))
        cursor.execute("DELETE FROM tenants_hotel WHERE id = %s", [hotel.id])
    certificate = DeletionCertificate(
        hotel_id=str(hotel.id),
        slug=hotel.slug,
        schema=hotel.schema,
        role=hotel.role,
        tables=tables,
        shared=shared,
        redis_keys=_delete_redis_keys(_find_redis_keys(str(hotel.id), hotel.schema)),
        records=records,
    )
    hotel_deleted.send(Hotel, hotel=hotel, detail=certificate.as_json())
    return certificate


def _lock_deletable_hotel(hotel_id: UUID, confirm: str) -> Hotel:
    set_lock_timeout()
    hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    _check_deletable(hotel, confirm)
    return hotel


def _check_deletable(hotel: Hotel, confirm: str) -> None:
    if confirm != hotel.slug:
        raise DeletionConflict(f"Nothing was deleted: {confirm!r} is not the hotel's slug, {hotel.slug!r}.")
    if hotel.status != HotelStatus.SUSPENDED:
        raise DeletionConflict(
            f"{hotel.slug} is {hotel.status}. Only a suspended hotel can be deleted. "
            f"Run `manage.py suspend_hotel {hotel.slug}` first.",
            hotel_status=hotel.status,
        )
    with connection.cursor() as cursor:
        if databases := roles.find_other_databases(cursor, hotel.role):
            raise DeletionConflict(
                f"Other databases of this server also hold {hotel.slug}: {', '.join(databases)}. "
                "Delete the hotel there or drop these databases first.",
                databases=databases,
            )


def _count_rows(schema: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE n.nspname = %s AND relkind = 'r' ORDER BY 1",
            [schema],
        )
        tables = [row[0] for row in cursor.fetchall()]
    return _run_counts(
        (table, f"SELECT count(*) FROM {quoting.qualified_name(schema, table)}")  # noqa: S608
        for table in tables
    )


def _count_shared_rows(hotel_id: str) -> dict[str, int]:
    def count_query(table: str, column: str) -> str:
        name = quoting.qualified_name("public", table)
        return f"SELECT count(*) FROM {name} WHERE {quoting.identifier(column)} = {quoting.literal(hotel_id)}"  # noqa: S608

    return _run_counts((table, count_query(table, column)) for table, column in list_hotel_references())


def _run_counts(queries: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Run count queries (pairs of table and SQL) in one round trip. Return a dict that maps tables to counts."""
    by_table = dict(queries)
    if not by_table:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"({query})" for query in by_table.values()))
        return dict(zip(by_table, cursor.fetchone(), strict=True))


def _find_redis_keys(hotel_id: str, schema: str) -> list[bytes]:
    """Return the hotel's keys in Redis: its cached values and the request counts of its API clients."""
    with _redis_client() as client:
        prefix = settings.REDIS_KEY_PREFIX
        patterns = (f"{prefix}:{hotel_id}:*", f"{prefix}:throttle:{schema}:*")
        return [key for pattern in patterns for key in client.scan_iter(pattern, count=1_000)]


def _delete_redis_keys(keys: list[bytes]) -> int:
    with _redis_client() as client:
        for start in range(0, len(keys), 1_000):
            client.unlink(*keys[start : start + 1_000])
    return len(keys)


@contextlib.contextmanager
def _redis_client() -> Iterator[redis.Redis]:
    try:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            yield client
    except redis.RedisError as error:
        raise RedisUnavailable(f"The hotel's keys in Redis could not be deleted: {error}") from error
