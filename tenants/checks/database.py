"""Checks of the two routes: that each is what the other code takes it for (DESIGN 4.2).

Those tagged `database` connect: `manage.py check` runs them with `--database default` only.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError

from tenants.context import platform_context
from tenants.database.backend.base import REFUSED_OPTIONS
from tenants.database.connections import allows_plaintext, direct_connection, is_local

ENGINE = "tenants.database.backend"
DIRECT = "DATABASE_DIRECT_URL"
RUNTIME = "DATABASE_URL"


def _routes() -> list[tuple[str, dict[str, Any]]]:
    return [(RUNTIME, settings.DATABASES[DEFAULT_DB_ALIAS]), (DIRECT, settings.DATABASE_DIRECT)]


@register(Tags.compatibility)
def check_settings_of_routes(**_options: Any) -> list[CheckMessage]:
    """The engine, and options that a statement with its hotel before it can't work with."""
    found: list[CheckMessage] = []
    for variable, route in _routes():
        if route.get("ENGINE") != ENGINE:
            found.append(
                Error(
                    f"{variable}: the engine is {route.get('ENGINE')!r}.",
                    hint=f"Only {ENGINE!r} sends the hotel with each statement.",
                    id="tenants.E020",
                )
            )
        options = route.get("OPTIONS", {})
        found += [
            Error(
                f"{variable}: the option {option!r} can't be used: {why}.",
                hint="Remove it.",
                id="tenants.E021",
            )
            for option, why in REFUSED_OPTIONS.items()
            if options.get(option)
        ]
    if settings.DATABASES[DEFAULT_DB_ALIAS].get("OPTIONS", {}).get("options"):
        found.append(
            Error(
                f"{RUNTIME}: startup `options` are refused by poolers.",
                hint="Set it on the login: ALTER ROLE ... SET name TO value.",
                id="tenants.E022",
            )
        )
    return found


@register(Tags.security)
def check_tls(**_options: Any) -> list[CheckMessage]:
    """Guests' data crosses no network in the clear."""
    return [
        Error(
            f"{variable}: sslmode={route['OPTIONS']['sslmode']} sends guests' data in the clear.",
            hint="Say ?sslmode=verify-full with ?sslrootcert=..., or at least ?sslmode=require.",
            id="tenants.E023",
        )
        for variable, route in _routes()
        if allows_plaintext(route)
    ]


@register(Tags.compatibility)
def check_direct_address(**_options: Any) -> list[CheckMessage]:
    """Supabase's session pooler holds a session, and is no direct connection."""
    direct = settings.DATABASE_DIRECT
    if direct.get("HOST", "").endswith("pooler.supabase.com") and direct.get("PORT") == "5432":
        return [
            Warning(
                f"{DIRECT} goes to Supabase's session pooler: it works, and each migration takes one of its "
                "few connections.",
                hint="With IPv6 here (or the project's IPv4 add-on): db.<project>.supabase.co:5432.",
                id="tenants.W020",
            )
        ]
    return []


@register(Tags.database)
def check_direct_connection(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """The direct route is direct: what is set on its session stays there, and nobody else sees it."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context():
            pooled = _is_pooled()
    except DatabaseError as error:
        host = settings.DATABASE_DIRECT.get("HOST", "")
        hint = "It must lead to PostgreSQL itself, with the owner's login."
        if _has_ipv6_only(host):
            hint = f"{host} has an IPv6 address only: give this machine IPv6, or name a host that has IPv4."
        return [Error(f"{DIRECT} does not answer: {error}", hint=hint, id="tenants.E024")]
    if not pooled:
        return []
    return [
        Error(
            f"{DIRECT} goes to a pooler in transaction mode: two sessions share one server connection.",
            hint="Give PostgreSQL's own address (Supabase: port 5432; Neon: the host without -pooler).",
            id="tenants.E025",
        )
    ]


def _is_pooled() -> bool:
    """Two sessions at once, several times: on a direct route each has a backend and a setting of its own."""
    with direct_connection() as first:
        second = type(first)(first.settings_dict, first.alias)
        try:
            return any(_share(first, second, str(number)) for number in range(3))
        finally:
            second.close()


def _share(first: Any, second: Any, mark: str) -> bool:
    with first.cursor() as one, second.cursor() as other:
        one.execute(f"SET hotelagent.probe TO '{mark}'")
        one.execute("SELECT pg_backend_pid()")
        (pid,) = one.fetchone()
        # Not inside a transaction: with one server connection the two would wait for each other.
        other.execute("SELECT pg_backend_pid(), current_setting('hotelagent.probe', true)")
        if other.fetchone() in {(pid, mark), (pid, None), (pid, "")}:
            return True
        one.execute("SELECT pg_backend_pid(), current_setting('hotelagent.probe', true)")
        return bool(one.fetchone() != (pid, mark))


def _has_ipv6_only(host: str) -> bool:
    if is_local(host):
        return False
    try:
        families = {address[0] for address in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return families == {socket.AF_INET6}


@register(Tags.database)
def check_runtime_login(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """What the runtime login may do, and what its sessions are set to when a pooler hands them out."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT session_user, rolsuper, rolbypassrls, current_setting('statement_timeout'),"
                " current_setting('idle_in_transaction_session_timeout'), current_setting('jit'), current_database()"
                " FROM pg_catalog.pg_roles WHERE rolname = session_user"
            )
            login, is_superuser, bypasses, statement_timeout, idle_timeout, jit, database = cursor.fetchone()
            differing_zone = cursor.connection.local_time_zone
    except DatabaseError as error:
        return [Error(f"{RUNTIME} does not answer: {error}", id="tenants.E026")]
    found: list[CheckMessage] = []
    if is_superuser or bypasses:
        found.append(
            Error(
                f"{RUNTIME} logs in as {login!r}, whom no right and no row-level security holds back.",
                hint=f'ALTER ROLE "{login}" NOSUPERUSER NOBYPASSRLS, or better: a login of its own.',
                id="tenants.E027",
            )
        )
    for name, value, wanted in (
        ("statement_timeout", statement_timeout, "15s"),
        ("idle_in_transaction_session_timeout", idle_timeout, "10s"),
    ):
        if value == "0":
            found.append(
                Warning(
                    f"{RUNTIME}: {name} is not set, so one stuck request can hold locks for ever.",
                    hint=f"ALTER ROLE \"{login}\" SET {name} TO '{wanted}'; (`manage.py migrate` does it)",
                    id="tenants.W021",
                )
            )
    if jit == "on":
        found.append(
            Warning(
                f"{RUNTIME}: `jit` is on, so PostgreSQL may spend hundreds of milliseconds on compiling a statement.",
                hint=f'ALTER ROLE "{login}" IN DATABASE "{database}" SET jit TO off; (`manage.py migrate` does it.) '
                "If this is already set, the pooler still uses connections that are older than the setting. "
                "Close them: `RECONNECT` in PgBouncer's console.",
                id="tenants.W023",
            )
        )
    if differing_zone:
        found.append(
            Warning(
                f"{RUNTIME}: the server's time zone is not {differing_zone}, so each statement sets it anew.",
                hint=f"ALTER ROLE \"{login}\" SET timezone TO '{differing_zone}';",
                id="tenants.W022",
            )
        )
    return found
