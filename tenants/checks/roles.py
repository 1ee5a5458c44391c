"""System checks of the database logins and the hotel roles' privileges."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError
from django.db.backends.utils import CursorWrapper

from tenants.context import platform_context
from tenants.database import roles, shared_roles
from tenants.database.connections import direct_connection
from tenants.database.logins import (
    MEMBERSHIP_OPTIONS_SINCE,
    DatabaseLogins,
    can_create_roles,
    count_memberships,
    get_database_logins,
    login_exists,
    login_inherits,
    missing_runtime_settings,
    runtime_login,
)

#: If a login is a member of this many roles, its first SET ROLE takes 13 ms (26 ms on PostgreSQL 15).
MEMBERSHIPS_LIMIT = 4_000


@register(Tags.security)
def check_roles_setting(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **_options: Any,
) -> list[CheckMessage]:
    """Warn if the setting DATABASE_ROLES is off, because no PostgreSQL roles then separate the hotels."""
    if settings.DATABASE_ROLES:
        return []
    messages: list[CheckMessage] = [
        Warning(
            "DATABASE_ROLES is off, so the database does not stop a statement that lost its hotel.",
            hint="Give the login of DATABASE_DIRECT_URL the attribute CREATEROLE, and set DATABASE_ROLES=True.",
            id="tenants.W010",
        )
    ]
    owner = str(settings.DATABASE_DIRECT.get("USER", ""))
    if (runtime := runtime_login(owner)) != owner:
        messages.append(
            Warning(
                f"DATABASE_ROLES is off, so {runtime!r} gets no privileges on the objects that {owner!r} creates.",
                hint="Use the same login in DATABASE_URL and DATABASE_DIRECT_URL.",
                id="tenants.W013",
            )
        )
    return messages


@register(Tags.database)
def check_roles(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    *,
    databases: Sequence[str] | None = None,
    **_options: Any,
) -> list[CheckMessage]:
    """Check that logins, roles and privileges are the ones that `migrate` sets up.

    Runs with `check --database default`.
    """
    if not settings.DATABASE_ROLES or not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with direct_connection(), platform_context(), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.tenants_schematemplate') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return []  # No migration has run yet.
            logins = get_database_logins(cursor)
            # Privileges can only be checked if the runtime login exists and the owner can create roles.
            return _check_prerequisites(cursor, logins) or [
                *_check_logins(cursor, logins),
                *_check_privileges(cursor, logins),
            ]
    except DatabaseError as error:
        return [
            Error(
                f"The direct connection failed: {error}",
                hint="DATABASE_DIRECT_URL must point to PostgreSQL itself, not to a pooler, and log in as the owner.",
                id="tenants.E011",
            )
        ]


def _check_prerequisites(cursor: CursorWrapper, logins: DatabaseLogins) -> list[CheckMessage]:
    if not login_exists(cursor, logins.runtime):
        return [
            Error(
                f"DATABASE_URL logs in as {logins.runtime!r}, and this role does not exist.",
                hint=f"As an administrator, run: CREATE ROLE \"{logins.runtime}\" LOGIN NOINHERIT PASSWORD '...';",
                id="tenants.E012",
            )
        ]
    if not can_create_roles(cursor):
        return [
            Error(
                f"The owner {logins.owner!r} may not create roles, so no hotel can be created.",
                hint=f'As an administrator, run: ALTER ROLE "{logins.owner}" CREATEROLE; or set DATABASE_ROLES=False.',
                id="tenants.E014",
            )
        ]
    return []


def _check_logins(cursor: CursorWrapper, logins: DatabaseLogins) -> list[CheckMessage]:
    if logins.is_single_login:
        return [
            Warning(
                f"The login {logins.owner!r} serves requests and owns all tables, so a statement that lost its hotel "
                "can read every hotel.",
                hint="Create a second login without privileges and use it in DATABASE_URL.",
                id="tenants.W011",
            )
        ]
    messages: list[CheckMessage] = [
        Warning(
            f"A setting of the runtime login {logins.runtime!r} is missing.",
            hint=f"Run `manage.py migrate`, or as an administrator: {statement};",
            id="tenants.W012",
        )
        for statement in missing_runtime_settings(cursor, logins)
    ]
    if logins.server_version < MEMBERSHIP_OPTIONS_SINCE and login_inherits(cursor, logins.runtime):
        messages.append(
            Error(
                f"The runtime login {logins.runtime!r} has the attribute INHERIT. Before PostgreSQL 16 this gives "
                "it the privileges of every hotel, and a statement that lost its hotel is not stopped.",
                hint=f'Run `manage.py migrate`, or as an administrator: ALTER ROLE "{logins.runtime}" NOINHERIT;',
                id="tenants.E015",
            )
        )
    if (members := count_memberships(cursor, logins.runtime)) > MEMBERSHIPS_LIMIT:
        messages.append(
            Warning(
                f"The runtime login {logins.runtime!r} is a member of {members:,} roles. Each new connection reads all "
                "of them before its first statement for a hotel.",
                hint=f"Serve at most {MEMBERSHIPS_LIMIT:,} hotels from one database server, and others from a second "
                "deployment. See deploy/scale.md.",
                id="tenants.W014",
            )
        )
    return messages


def _check_privileges(cursor: CursorWrapper, logins: DatabaseLogins) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if hotels := roles.find_privilege_drift(cursor, logins):
        slugs = ", ".join(hotel.slug for hotel in hotels[:10])
        messages.append(
            Error(
                f"The database privileges of {len(hotels)} hotels are not as they should be: {slugs}.",
                hint="Run `manage.py migrate`, which repairs them.",
                id="tenants.E010",
            )
        )
    if names := shared_roles.find_exposed_objects(cursor):
        messages.append(
            Error(
                f"Other roles than ours can use tables or functions of the schema `public`: {', '.join(names)}.",
                hint="Run `manage.py migrate`, which revokes these privileges.",
                id="tenants.E013",
            )
        )
    return messages
