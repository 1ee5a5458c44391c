"""System checks of the two database connections: the runtime connection and the direct connection.

Checks with the tag `database` connect to the database, so `manage.py check` runs them only with the option
`--database default`.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError
from django.db.backends.utils import CursorWrapper

from tenants.context import platform_context
from tenants.database.backend.base import REFUSED_OPTIONS
from tenants.database.connections import allows_plaintext, direct_connection, is_local
from tenants.database.logins import RUNTIME_SETTINGS

ENGINE = "tenants.database.backend"
DIRECT = "DATABASE_DIRECT_URL"
RUNTIME = "DATABASE_URL"


def _databases() -> list[tuple[str, dict[str, Any]]]:
    """Return the settings of the runtime connection and of the direct connection, each with the name of its environment
    variable.
    """
    return [(RUNTIME, settings.DATABASES[DEFAULT_DB_ALIAS]), (DIRECT, settings.DATABASE_DIRECT)]


@register(Tags.compatibility)
def check_connection_settings(**_options: Any) -> list[CheckMessage]:
    """Check the database engine and the options of the runtime connection and the direct connection."""
    messages: list[CheckMessage] = []
    for variable, database in _databases():
        if database.get("ENGINE") != ENGINE:
            messages.append(
                Error(
                    f"{variable}: the engine is {database.get('ENGINE')!r}.",
                    hint=f"Use {ENGINE!r}. Only this engine sends the hotel with each statement.",
                    id="tenants.E020",
                )
            )
        options = database.get("OPTIONS", {})
        messages += [
            Error(
                f"{variable}: the option {option!r} is not supported: {reason}.",
                hint="Remove the option.",
                id="tenants.E021",
            )
            for option, reason in REFUSED_OPTIONS.items()
            if options.get(option)
        ]
    if settings.DATABASES[DEFAULT_DB_ALIAS].get("OPTIONS", {}).get("options"):
        messages.append(
            Error(
                f"{RUNTIME}: poolers refuse startup `options`.",
                hint="Store the setting with the login: ALTER ROLE ... SET name TO value.",
                id="tenants.E022",
            )
        )
    return messages


@register(Tags.security)
def check_tls(**_options: Any) -> list[CheckMessage]:
    """Check that connections to remote hosts are encrypted."""
    return [
        Error(
            f"{variable}: sslmode={database['OPTIONS']['sslmode']} allows unencrypted connections.",
            hint="Use ?sslmode=verify-full with ?sslrootcert=..., or at least ?sslmode=require.",
            id="tenants.E023",
        )
        for variable, database in _databases()
        if allows_plaintext(database)
    ]


@register(Tags.compatibility)
def check_session_pooler(**_options: Any) -> list[CheckMessage]:
    """Warn if the direct connection goes to Supabase's session pooler, which has few connections."""
    direct = settings.DATABASE_DIRECT
    if direct.get("HOST", "").endswith("pooler.supabase.com") and direct.get("PORT") == "5432":
        return [
            Warning(
                f"{DIRECT} points to Supabase's session pooler. This works, but each migration uses one of the "
                "pooler's few connections.",
                hint="With IPv6 on this machine, or the project's IPv4 add-on, use db.<project>.supabase.co:5432.",
                id="tenants.W020",
            )
        ]
    return []


@register(Tags.database)
def check_direct_connection(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Check that the direct connection does not go through a pooler in transaction mode."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context():
            is_pooled = _is_pooled()
    except DatabaseError as error:
        host = settings.DATABASE_DIRECT.get("HOST", "")
        hint = "It must point to PostgreSQL itself, not to a pooler, and log in as the owner."
        if _has_ipv6_only(host):
            hint = f"{host} has only an IPv6 address. Give this machine IPv6, or use a host with IPv4."
        return [Error(f"{DIRECT}: the connection failed: {error}", hint=hint, id="tenants.E024")]
    if not is_pooled:
        return []
    return [
        Error(
            f"{DIRECT} points to a pooler in transaction mode: two sessions share one server connection.",
            hint="Use the address of PostgreSQL itself (Supabase: port 5432; Neon: the host without -pooler).",
            id="tenants.E025",
        )
    ]


def _is_pooled() -> bool:
    """Return whether the direct connection goes through a pooler.

    Behind a pooler, two client sessions can share one server connection. The function opens two sessions and checks
    this.
    """
    with direct_connection() as first:
        second = type(first)(first.settings_dict, first.alias)
        try:
            return any(_share_server_connection(first, second, str(attempt)) for attempt in range(3))
        finally:
            second.close()


def _share_server_connection(first: Any, second: Any, marker: str) -> bool:
    with first.cursor() as first_cursor, second.cursor() as second_cursor:
        first_cursor.execute(f"SET hotelagent.probe TO '{marker}'")
        first_cursor.execute("SELECT pg_backend_pid()")
        (pid,) = first_cursor.fetchone()
        # Autocommit is used, because an open transaction of the first session would keep a server connection.
        # With only one server connection, the second session would wait forever for the first session's transaction.
        query = "SELECT pg_backend_pid(), current_setting('hotelagent.probe', true)"
        second_cursor.execute(query)
        if second_cursor.fetchone() in {(pid, marker), (pid, None), (pid, "")}:
            return True
        first_cursor.execute(query)
        return bool(first_cursor.fetchone() != (pid, marker))


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
    """Check the attributes of the runtime login and the settings of its sessions."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT session_user, rolsuper, rolbypassrls, current_database()"
                " FROM pg_catalog.pg_roles WHERE rolname = session_user"
            )
            login, is_superuser, bypasses_rls, database = cursor.fetchone()
            missing = _missing_session_settings(cursor)
            stored = _stored_settings(cursor)
    except DatabaseError as error:
        return [Error(f"{RUNTIME}: the connection failed: {error}", id="tenants.E026")]
    messages: list[CheckMessage] = []
    if is_superuser or bypasses_rls:
        messages.append(
            Error(
                f"{RUNTIME} logs in as {login!r}, to which neither privileges nor row-level security apply.",
                hint=f'Use a separate login, or run: ALTER ROLE "{login}" NOSUPERUSER NOBYPASSRLS;',
                id="tenants.E027",
            )
        )
    # PostgreSQL reads the settings of a login only when a session starts. Later changes do not affect the session.
    # The pooler may have started the session before `migrate` changed the settings of the login.
    outdated = [setting.name for setting in missing if setting.name in stored]
    messages += [
        Warning(
            f"{RUNTIME}: {setting.consequence}.",
            hint=f'Run `manage.py migrate`, or: ALTER ROLE "{login}" IN DATABASE "{database}" SET {setting.name} TO '
            f"'{setting.value}';",
            id=setting.check_id,
        )
        for setting in missing
        if setting.name not in outdated
    ]
    if outdated:
        messages.append(
            Info(
                f"{RUNTIME}: the pooler still uses connections that are older than these settings of {login!r}: "
                f"{', '.join(outdated)}.",
                hint="Run `RECONNECT` in PgBouncer's console, or wait until the pooler replaces them (PgBouncer: "
                "`server_lifetime`, one hour).",
                id="tenants.I020",
            )
        )
    return messages


@dataclass(frozen=True, slots=True)
class _MissingSetting:
    """A missing PostgreSQL setting of the runtime login's session, with the id of the check that reports it."""

    name: str
    value: str
    consequence: str
    check_id: str


def _missing_session_settings(cursor: CursorWrapper) -> list[_MissingSetting]:
    cursor.execute(
        "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'),"
        " current_setting('jit')"
    )
    *timeouts, jit = cursor.fetchone()
    time_zone = cursor.connection.time_zone_override
    missing = [
        _MissingSetting(
            name,
            RUNTIME_SETTINGS[name],
            f"{name} is not set, so a request that hangs can hold its locks forever",
            "tenants.W021",
        )
        for name, value in zip(
            ("statement_timeout", "idle_in_transaction_session_timeout"), timeouts, strict=True
        )
        if value == "0"
    ]
    if time_zone:
        consequence = f"the server's time zone is not {time_zone}, so each statement has to set it"
        missing.append(_MissingSetting("timezone", time_zone, consequence, "tenants.W022"))
    if jit == "on":
        consequence = "`jit` is on, so PostgreSQL may spend hundreds of milliseconds on compiling a statement"
        missing.append(_MissingSetting("jit", RUNTIME_SETTINGS["jit"], consequence, "tenants.W023"))
    return missing


def _stored_settings(cursor: CursorWrapper) -> set[str]:
    """Return the lowercase names of those RUNTIME_SETTINGS that PostgreSQL applies to new sessions of this login.

    `migrate` stores these settings with ALTER ROLE.
    """
    cursor.execute(
        "SELECT unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s"
        " JOIN pg_catalog.pg_roles r ON r.oid = s.setrole AND r.rolname = session_user"
        " LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase"
        " WHERE s.setdatabase = 0 OR d.datname = current_database() ORDER BY s.setdatabase"
    )
    stored = {}
    for (entry,) in cursor.fetchall():
        name, _equals, value = entry.partition("=")
        stored[name.lower()] = value
    return {name.lower() for name, value in RUNTIME_SETTINGS.items() if stored.get(name.lower()) == value}
