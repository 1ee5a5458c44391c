"""The examination of the database: connections, migrations, and the clock of the server."""

import datetime
import time
from collections.abc import Iterator

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from hotelagent.monitoring.doctor.findings import Finding, ok, problem, warning
from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle.fleet.migration_plan import plan_fleet, plan_platform

#: If more than this share of the PostgreSQL server's connections is in use, the examination warns.
_MANY_CONNECTIONS = 0.8
#: If clocks differ by more than this number of seconds, logs show events of holds and reminders at wrong times.
_CLOCK_WARNING_SECONDS = 2.0
#: One-time passwords and signed requests fail if clocks differ by more than this number of seconds.
_CLOCK_PROBLEM_SECONDS = 30.0

_SERVER = """
SELECT current_setting('server_version'), current_setting('transaction_read_only') = 'on',
       current_setting('max_connections')::integer, (SELECT count(*) FROM pg_catalog.pg_stat_activity
       WHERE backend_type = 'client backend')
"""


def examine_database() -> Iterator[Finding]:
    """Examine the runtime connection. The system checks examine the direct connection, the logins and the roles."""
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(_SERVER)
            version, is_read_only, limit, used = cursor.fetchone()
    except DatabaseError as error:
        yield problem(
            "database",
            f"The connection failed: {_first_line(error)}",
            "Check DATABASE_URL, and that PostgreSQL and the pooler are running.",
        )
        return
    if is_read_only:
        yield problem(
            "database",
            "The server is read-only: it is a standby server.",
            "Connect to the primary server, or promote the standby server.",
        )
    elif used > limit * _MANY_CONNECTIONS:
        yield warning(
            "database",
            f"PostgreSQL {version}: {used} of {limit} connections are in use.",
            "Use PgBouncer in transaction mode, or raise max_connections.",
        )
    else:
        yield ok("database", f"PostgreSQL {version}, {used} of {limit} connections in use.")


def examine_migrations() -> Iterator[Finding]:
    """Examine whether migrations are missing in the platform's schema or in the schemas of hotels."""
    remedy = "Run `manage.py migrate`."
    try:
        # The runtime login cannot read the migrations of all hotels.
        with direct_connection():
            steps = [step for step in (*plan_platform(), *plan_fleet(None)) if step.plan]
    except DatabaseError as error:
        yield problem("migrations", f"The migrations cannot be read: {_first_line(error)}", remedy)
        return
    for step in steps:
        yield problem("migrations", f"Missing migrations: {len(step.plan)} ({step.target}).", remedy)
    if not steps:
        yield ok("migrations", "The platform and all hotels have all migrations.")


def examine_clocks() -> Iterator[Finding]:
    """Compare the clock of this machine with the clocks of PostgreSQL and Redis."""
    clocks = {"PostgreSQL": _read_database_clock, "Redis": _read_redis_clock}
    differences = {}
    for name, read in clocks.items():
        started = time.time()
        try:
            there = read()
        except (DatabaseError, redis.RedisError):
            continue  # other examinations report that this server does not respond
        differences[name] = there - (started + time.time()) / 2
    for name, seconds in differences.items():
        if abs(seconds) <= _CLOCK_WARNING_SECONDS:
            continue
        found = problem if abs(seconds) > _CLOCK_PROBLEM_SECONDS else warning
        direction = "ahead of" if seconds > 0 else "behind"
        yield found(
            "clocks",
            f"The clock of {name} is {abs(seconds):.1f} seconds {direction} the clock of this machine.",
            "Synchronize the clocks of all machines with NTP, for example with chrony.",
        )
    if differences and all(abs(seconds) <= _CLOCK_WARNING_SECONDS for seconds in differences.values()):
        largest = max(abs(seconds) for seconds in differences.values())
        yield ok(
            "clocks", f"The clocks of {' and '.join(differences)} differ by at most {largest:.2f} seconds."
        )


def _read_database_clock() -> float:
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime.datetime = cursor.fetchone()[0]
    return moment.timestamp()


def _read_redis_clock() -> float:
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
        seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
