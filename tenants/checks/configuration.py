"""Each way to set this up wrongly, with an id and a cure."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError

from tenants.context import platform_context
from tenants.database import roles, shared_roles
from tenants.database.connections import direct_connection
from tenants.database.placement import placement_of

Apps = Sequence[AppConfig] | None


@register(Tags.models)
def check_placement(app_configs: Apps, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Every table has a place."""
    found: list[CheckMessage] = []
    for model in apps.get_models(include_auto_created=True):
        try:
            placement_of(model._meta.app_label, model._meta.model_name)
        except ImproperlyConfigured as error:
            found.append(Error(str(error), obj=model, id="tenants.E001"))
    return found


@register(Tags.models)
def check_no_reference_out_of_a_hotel(app_configs: Apps, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """A hotel's table references its own schema only: it is dumped, restored and moved alone (DESIGN 4.14)."""
    found: list[CheckMessage] = []
    for model in apps.get_models(include_auto_created=True):
        try:
            if not placement_of(model._meta.app_label, model._meta.model_name).in_hotel:
                continue
            for field in model._meta.local_fields:
                target = field.related_model
                if (
                    isinstance(target, type)
                    and getattr(field, "db_constraint", False)
                    and not placement_of(target._meta.app_label, target._meta.model_name).in_hotel
                ):
                    found.append(
                        Error(
                            f"{field} is a foreign key from a hotel's table to a shared one.",
                            hint="Store the other row's id in a field of its own, without a constraint.",
                            obj=model,
                            id="tenants.E002",
                        )
                    )
        except ImproperlyConfigured:
            continue  # tenants.E001 says so
    return found


@register(Tags.security)
def check_roles_setting(app_configs: Apps, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    if settings.DATABASE_ROLES:
        return []
    found: list[CheckMessage] = [
        Warning(
            "DATABASE_ROLES is off: a statement that lost its hotel is not stopped by the database.",
            hint="Give the owner of DATABASE_DIRECT_URL the attribute CREATEROLE, and set DATABASE_ROLES=True.",
            id="tenants.W010",
        )
    ]
    owner = str(settings.DATABASE_DIRECT.get("USER", ""))
    if (runtime := roles.runtime_login(owner)) != owner:
        found.append(
            Warning(
                f"DATABASE_ROLES is off, so nobody gives {runtime!r} rights on what {owner!r} makes.",
                hint="Let DATABASE_URL and DATABASE_DIRECT_URL log in as the same role.",
                id="tenants.W013",
            )
        )
    return found


@register(Tags.database)
def check_roles(
    app_configs: Apps,  # noqa: ARG001
    *,
    databases: Sequence[str] | None = None,
    **_options: Any,
) -> list[CheckMessage]:
    """`check --database default`: the walls inside the database are as `migrate` makes them."""
    if not settings.DATABASE_ROLES or not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with direct_connection(), platform_context(), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.tenants_template') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return []  # not migrated yet
            return _walls(cursor)
    except DatabaseError as error:
        return [Error(f"The direct route does not answer: {error}", hint=_DIRECT_HINT, id="tenants.E011")]


_DIRECT_HINT = "DATABASE_DIRECT_URL must lead to PostgreSQL itself and log in as the owner."


def _walls(cursor: Any) -> list[CheckMessage]:
    who = roles.get_database_logins(cursor)
    # Without a runtime login, or hotels' roles, there is nothing to ask the rest of.
    return _missing(cursor, who) or [*_logins(cursor, who), *_rights(cursor, who)]


def _missing(cursor: Any, who: roles.DatabaseLogins) -> list[CheckMessage]:
    if not shared_roles.login_exists(cursor, who.runtime):
        return [
            Error(
                f"DATABASE_URL logs in as {who.runtime!r}, and the database has no such role.",
                hint=f"As an administrator: CREATE ROLE \"{who.runtime}\" LOGIN NOINHERIT PASSWORD '...';",
                id="tenants.E012",
            )
        ]
    if not shared_roles.may_create_roles(cursor):
        return [
            Error(
                f"The owner {who.owner!r} may not create roles: no hotel can be made.",
                hint=f'An administrator: ALTER ROLE "{who.owner}" CREATEROLE; or set DATABASE_ROLES=False.',
                id="tenants.E014",
            )
        ]
    return []


def _logins(cursor: Any, who: roles.DatabaseLogins) -> list[CheckMessage]:
    if who.same:
        return [
            Warning(
                f"One login, {who.owner!r}, serves requests and owns everything: a statement without its hotel "
                "may read each of them.",
                hint="Make a second login without rights, and put it into DATABASE_URL.",
                id="tenants.W011",
            )
        ]
    found: list[CheckMessage] = [
        Warning(
            f"The runtime login {who.runtime!r} lacks a setting.",
            hint=f"`manage.py migrate`, or an administrator: {statement};",
            id="tenants.W012",
        )
        for statement in shared_roles.missing_from_runtime(cursor, who)
    ]
    if who.server_version < roles.MEMBERSHIP_OPTIONS_SINCE and shared_roles.login_inherits(
        cursor, who.runtime
    ):
        found.append(
            Error(
                f"The runtime login {who.runtime!r} inherits: before PostgreSQL 16 it then has every hotel's rights, "
                "and a statement without its hotel is not stopped.",
                hint=f'`manage.py migrate`, or an administrator: ALTER ROLE "{who.runtime}" NOINHERIT;',
                id="tenants.E015",
            )
        )
    return found


def _rights(cursor: Any, who: roles.DatabaseLogins) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if drifted := roles.find_privilege_drift(cursor, who):
        shown = ", ".join(hotel.slug for hotel in drifted[:10])
        found.append(
            Error(
                f"The rights of {len(drifted)} hotels' roles are not what they should be: {shown}.",
                hint="`manage.py migrate` mends them.",
                id="tenants.E010",
            )
        )
    if readable := shared_roles.readable_to_strangers(cursor):
        found.append(
            Error(
                f"Tables and functions of `public` that others than our logins may use: {', '.join(readable)}.",
                hint="`manage.py migrate` takes these rights back.",
                id="tenants.E013",
            )
        )
    return found
