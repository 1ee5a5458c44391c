"""The runtime connection and the direct connection to one database, both under the alias `default`.

Requests and tasks use `settings.DATABASES["default"]`, which may be a pooler in transaction mode. Work that needs a
session (DDL, session advisory locks, dumps) uses `settings.DATABASE_DIRECT`, which logs in as the owner. Migrations and
models work on either connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from copy import deepcopy
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import ProgrammingError, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo, ExecStatus

from hotelagent.core import service_urls
from hotelagent.core.service_urls import InvalidServiceURL, ServiceURL

if TYPE_CHECKING:
    from tenants.database.backend.base import DatabaseWrapper

T = TypeVar("T")

#: Values of `sslmode` that let libpq connect without TLS. If a URL has no `sslmode`, remote hosts get `require`.
PLAINTEXT_SSL_MODES = {"disable", "allow", "prefer"}
#: The parameters that libpq accepts in a URL. `ssl` is included, because libpq reads `ssl=true` as `sslmode=require`.
_PARAMETERS = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
_EXAMPLE = "postgresql://user:password@host:5432/name"


class DirectConnectionError(RuntimeError):
    """The direct connection cannot be opened inside an open transaction of the runtime connection."""


def derive_direct_url(url: str) -> str:
    """Return the URL that bypasses the pooler if `url` is the URL of a known pooler, otherwise `url` itself.

    Supabase serves transactions on port 6543 and sessions on port 5432 of the same host
    (https://supabase.com/docs/guides/database/connecting-to-postgres). Neon's pooler has the host name of the
    endpoint with `-pooler` added (https://neon.com/docs/connect/connection-pooling).
    """
    if not url:
        return ""
    parsed = _parse(url, variable="DATABASE_URL")
    authority = ",".join(map(_direct_address, parsed.authority.split(",")))
    return url if authority == parsed.authority else str(parsed.with_authority(authority))


def _direct_address(address: str) -> str:
    host = address.partition(":")[0].lower()
    if host.endswith((".supabase.com", ".supabase.co")) and address.endswith(":6543"):
        return address.removesuffix(":6543") + ":5432"
    if host.endswith(".neon.tech"):
        endpoint, dot, domain = address.partition(".")
        return endpoint.removesuffix("-pooler") + dot + domain
    return address


def database_settings(url: str, *, direct: bool) -> dict[str, Any]:
    """Return Django's database settings for a libpq URL. The query string may contain any libpq parameter.

    Remote hosts require TLS unless the URL sets `sslmode`. `?sslmode=verify-full` is safer than the default. An empty
    URL leaves all parameters to libpq. Raises ImproperlyConfigured if the URL is not valid.
    """
    variable = "DATABASE_DIRECT_URL" if direct else "DATABASE_URL"
    parameters = _connection_parameters(url, variable=variable) if url else {}
    options = {"connect_timeout": 10, **parameters}
    django_names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    address = {name: str(options.pop(parameter, "")) for parameter, name in django_names.items()}
    if not is_local(options.get("hostaddr") or address["HOST"]):
        options.setdefault("sslmode", "require")
    return {
        "ENGINE": "tenants.database.backend",
        **address,
        "OPTIONS": options,
        # The maximum age of a connection, in seconds. Direct connections are closed after each use.
        "CONN_MAX_AGE": 0 if direct else 600,
        "CONN_HEALTH_CHECKS": not direct,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "DIRECT": direct,
    }


def _parse(url: str, *, variable: str) -> ServiceURL:
    try:
        parsed = service_urls.parse(
            url, variable=variable, schemes=("postgresql", "postgres"), example=_EXAMPLE
        )
        parsed.addresses()
    except InvalidServiceURL as error:
        raise ImproperlyConfigured(str(error)) from None
    return parsed


def _connection_parameters(url: str, *, variable: str) -> dict[str, Any]:
    """Return the libpq parameters of a URL. Raises ImproperlyConfigured for unknown parameters and invalid URLs."""
    parsed = _parse(url, variable=variable)
    if unknown := sorted(parsed.options.keys() - _PARAMETERS):
        raise ImproperlyConfigured(
            f"{variable} has parameters that PostgreSQL's client library does not know: {', '.join(unknown)}. Remove "
            "them from the URL."
        )
    try:
        return dict(conninfo_to_dict(str(parsed)))
    except ProgrammingError:
        # Hide the error of psycopg, because its message contains the URL with the password.
        raise ImproperlyConfigured(f"{variable} is not a valid URL. Use {_EXAMPLE}.") from None


def is_local(hosts: str) -> bool:
    """Return whether all hosts in a comma-separated list are names or addresses of this machine.

    A local host is an empty string, the directory of a Unix socket, `localhost`, or a loopback address.
    """
    return all(_is_loopback(host) for host in hosts.split(","))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        # Every host name except localhost is remote, even a name that starts like an IP address (127.example.com).
        return False


def allows_plaintext(database: dict[str, Any]) -> bool:
    """Return whether these settings allow an unencrypted connection to a remote host."""
    options = database.get("OPTIONS", {})
    host = options.get("hostaddr") or database.get("HOST", "")
    return not is_local(host) and options.get("sslmode") in PLAINTEXT_SSL_MODES


@contextmanager
def direct_connection() -> Iterator[DatabaseWrapper]:
    """Replace this thread's `default` connection with a direct connection that logs in as the owner.

    The direct connection is closed on exit, and the runtime connection is restored. The context manager can be nested.
    Raises DirectConnectionError inside an open atomic() of the runtime connection.
    """
    runtime: Any = connections[DEFAULT_DB_ALIAS]
    if runtime.direct:
        yield runtime
        return
    if runtime.in_atomic_block:
        raise DirectConnectionError(
            "direct_connection() cannot be used inside an open atomic() of the runtime connection: the direct "
            "connection would not see the rows of that transaction and could wait forever for its locks. "
            "Leave atomic() first. In tests use @pytest.mark.django_db(transaction=True)."
        )
    direct: Any = type(runtime)(direct_settings(), DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = direct
    try:
        yield direct
    finally:
        connections[DEFAULT_DB_ALIAS] = runtime
        direct.close()


def direct_settings() -> dict[str, Any]:
    """Return `settings.DATABASE_DIRECT` with Django's defaults filled in."""
    direct = connections.configure_settings({DEFAULT_DB_ALIAS: deepcopy(settings.DATABASE_DIRECT)})
    return dict(direct[DEFAULT_DB_ALIAS])


def execute_script(statements: str) -> None:
    """Execute a script of SQL statements in one round trip, without a cursor.

    Use this function inside `direct_connection()`. A cursor would be slower, because it parses the script. If no
    transaction is open, PostgreSQL runs the script in an implicit transaction. No `search_path` is set, so the script
    must qualify its names or set the path itself. Raises Django's database errors.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_(statements.encode())
        if result.status not in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
            raise errors.error_from_result(result, encoding="utf-8")


def call_on_second_connection(function: Callable[[], T]) -> T:
    """Call the function in a new thread with a separate database connection, and return the result of the function.

    The function runs with the caller's tenant and actor. The changes that the function commits are kept even if the
    caller's transaction is rolled back.
    """
    context = copy_context()

    def call_and_close() -> T:
        try:
            return context.run(function)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(call_and_close).result()
