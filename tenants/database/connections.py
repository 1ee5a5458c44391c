"""Two routes to one database, under one alias (DESIGN 4.2).

Runtime statements go over `settings.DATABASES["default"]`, which may be a transaction-mode pooler.
What needs a session (DDL, session advisory locks, CREATE INDEX CONCURRENTLY, dumps) goes over
`settings.DATABASE_DIRECT`, as the owner of everything. Both say `default`: migrations need not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import ProgrammingError, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from tenants.database.backend.base import DatabaseWrapper

#: Values of sslmode with which libpq may speak without TLS. Off this machine, no value stands for `require`.
UNSAFE_TLS = {"disable", "allow", "prefer"}


class DirectConnectionError(RuntimeError):
    """The direct route can't be taken here."""


def derive_direct_url(url: str) -> str:
    """The direct URL of a database whose runtime URL goes to a known pooler, else the URL itself.

    Supabase serves transactions on 6543 and sessions on 5432 of the same host
    (https://supabase.com/docs/guides/database/connecting-to-postgres); Neon's pooler is the same host with
    `-pooler` after the endpoint's name (https://neon.com/docs/connect/connection-pooling).
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    login, at, address = parts.netloc.rpartition("@")
    if host.endswith((".supabase.com", ".supabase.co")) and address.endswith(":6543"):
        address = address.removesuffix(":6543") + ":5432"
    elif host.endswith(".neon.tech"):
        endpoint, dot, rest = address.partition(".")
        address = endpoint.removesuffix("-pooler") + dot + rest
    else:
        return url
    return urlunsplit(parts._replace(netloc=f"{login}{at}{address}"))


def database_settings(url: str, *, direct: bool) -> dict[str, Any]:
    """Django's settings of the database behind a libpq URL; its query string may hold any libpq parameter.

    Off this machine TLS is required unless the URL says otherwise (`?sslmode=verify-full` is better still).
    """
    try:
        given: dict[str, Any] = conninfo_to_dict(url)
    except ProgrammingError:
        name = "DATABASE_DIRECT_URL" if direct else "DATABASE_URL"
        # psycopg's own text quotes the URL, and with it the password.
        raise ImproperlyConfigured(
            f"{name} is no PostgreSQL URL. It looks like postgresql://user:password@host:5432/name, with any other "
            "character of the password written as %XX."
        ) from None
    options = {"connect_timeout": 10, **given}
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    address = {name: str(options.pop(key, "")) for key, name in names.items()}
    if not is_local(options.get("hostaddr") or address["HOST"]):
        options.setdefault("sslmode", "require")
    return {
        "ENGINE": "tenants.database.backend",
        **address,
        "OPTIONS": options,
        # Seconds. Keeping it saves a connect a request; the direct route closes its own on leaving.
        "CONN_MAX_AGE": 0 if direct else 600,
        "CONN_HEALTH_CHECKS": not direct,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "DIRECT": direct,
    }


def is_local(hosts: str) -> bool:
    """This machine: no host, a unix socket's folder, or a loopback name; each of several that commas part."""
    return all(_is_loopback(host) for host in hosts.split(","))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, 127.example.com among them


def allows_plaintext(route: dict[str, Any]) -> bool:
    """Whether statements of this route may cross a network that others can listen to."""
    options = route.get("OPTIONS", {})
    host = options.get("hostaddr") or route.get("HOST", "")
    return not is_local(host) and options.get("sslmode") in UNSAFE_TLS


@contextmanager
def direct_connection() -> Iterator[DatabaseWrapper]:
    """Inside, this thread's `default` connection is a direct one, logged in as the owner; closed on leaving.

    Nests (the inner one changes nothing). The runtime connection is kept and comes back, by an exception too.
    Raises DirectConnectionError inside an open atomic() of the runtime connection: the direct one would not see
    what that has written, and could wait for its locks for ever.
    """
    runtime: Any = connections[DEFAULT_DB_ALIAS]
    if runtime.direct:
        yield runtime
        return
    if runtime.in_atomic_block:
        raise DirectConnectionError(
            "direct_connection() inside an open atomic() of the runtime connection: the direct connection would "
            "not see its rows and could wait for its locks for ever. Leave atomic() first; in tests use "
            "@pytest.mark.django_db(transaction=True)."
        )
    direct: Any = type(runtime)(direct_settings(), DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = direct
    try:
        yield direct
    finally:
        connections[DEFAULT_DB_ALIAS] = runtime
        direct.close()


def direct_settings() -> dict[str, Any]:
    """`settings.DATABASE_DIRECT` with Django's defaults filled in."""
    direct = connections.configure_settings({DEFAULT_DB_ALIAS: deepcopy(settings.DATABASE_DIRECT)})
    return dict(direct[DEFAULT_DB_ALIAS])


def execute_script(statements: str) -> None:
    """Execute a script of SQL statements as one message, without a cursor.

    A cursor would classify the script's text and build a Python object for each result. The script runs in the open
    transaction, or in an implicit one. No `search_path` is set for it, so the script qualifies its names or sets the
    path itself. Call it inside `direct_connection()`. Raises Django's database errors.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_(statements.encode())
        if result.status not in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
            raise errors.error_from_result(result, encoding="utf-8")
