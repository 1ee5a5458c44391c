"""One of several processes leads: a row with an end, so that it works through any pooler and outlives nobody."""

from django.db import connection


def hold(*, name: str, holder: str, seconds: int) -> bool:
    """Take or renew the lease; False where another holds it. The platform's context; the database's clock."""
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
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_lease WHERE name = %s AND holder = %s", [name, holder])
