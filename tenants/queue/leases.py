"""Leader election with a database row that expires. A session lock would not work through a transaction pooler."""

from django.db import connection


def acquire(*, name: str, holder: str, seconds: int) -> bool:
    """Acquire or renew a lease for `seconds` seconds. Return False if another process holds the lease.

    Needs the platform's context. Expiry is compared with the database's clock.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_lease AS lease (name, holder, expires_at)
            VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE lease.holder = excluded.holder OR lease.expires_at < clock_timestamp()
            """,
            [name, holder, seconds],
        )
        return bool(cursor.rowcount == 1)


def release(*, name: str, holder: str) -> None:
    """Release a lease if `holder` still holds the lease. Needs the platform's context."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_lease WHERE name = %s AND holder = %s", [name, holder])
