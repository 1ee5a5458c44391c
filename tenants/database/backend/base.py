"""A Django PostgreSQL backend that sends the current tenant's schema and role with every statement.

This backend extends the backend of django-tenants, which sets the search_path of the session and can fall back to
`public`. This backend does neither. The file tenants/database/README.md explains the design.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql.psycopg_any import BaseTzLoader, register_tzloader
from django.utils.asyncio import async_unsafe
from django_tenants.postgresql_backend import base as tenants_base
from psycopg import Error, IsolationLevel
from psycopg.types.datetime import TimestamptzLoader

from tenants.context import TenantNotSet, platform_context, tenant_or_none
from tenants.database.backend.cursor import HotelCursor
from tenants.database.backend.introspection import HotelIntrospection
from tenants.database.backend.psycopg_connection import HotelConnection
from tenants.database.backend.schema import HotelSchemaEditor

#: Keys that this backend refuses in the OPTIONS of Django's database settings, each with the reason.
REFUSED_OPTIONS = {
    "pool": "a pool in each process would hold connections that the pooler should share",
    "server_side_binding": "the extended protocol allows only one statement per message",
    "prepare_threshold": "prepared statements belong to one server connection",
    "assume_role": "each statement sets the role of its hotel",
    "cursor_factory": "the cursor of this backend sends the hotel with each statement",
}
#: Names for UTC. If the server's time zone has one of these names, statements do not set the time zone.
UTC_NAMES = {"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"}


class DatabaseWrapper(tenants_base.DatabaseWrapper):  # type: ignore[misc]
    """Django's database connection object. Each thread has one connection, which all tenants share."""

    SchemaEditorClass = HotelSchemaEditor

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        # Skip the constructor of django-tenants, which would set the tenant to `public`.
        # The alias may be a TenantAlias, a string that also stores a tenant.
        # str() returns the alias without the tenant, because the connection is used for all tenants.
        super(tenants_base.DatabaseWrapper, self).__init__(settings_dict, str(alias))
        self.tenant: Any = None
        self._schema_name: str | None = None
        self.introspection = HotelIntrospection(self)
        # To create a database, Django connects to the database `postgres` with the alias NO_DB_ALIAS.
        # The database `postgres` contains no hotels, so such a connection is treated as a direct connection.
        self.direct = bool(settings_dict.get("DIRECT")) or alias == NO_DB_ALIAS

    # Connecting

    @async_unsafe
    def connect(self) -> None:
        """Connect in the platform's context, because new connections can be opened while no tenant is set."""
        with platform_context():
            super().connect()

    def get_connection_params(self) -> dict[str, Any]:
        options = self.settings_dict["OPTIONS"]
        for option, reason in REFUSED_OPTIONS.items():
            if options.get(option):
                raise ImproperlyConfigured(
                    f"Remove DATABASES['{self.alias}']['OPTIONS']['{option}']. tenants.database.backend does not "
                    f"support it: {reason}."
                )
        return {**super().get_connection_params(), "cursor_factory": HotelCursor}

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> HotelConnection:
        level = self.settings_dict["OPTIONS"].get("isolation_level")
        try:
            self.isolation_level = IsolationLevel(level or IsolationLevel.READ_COMMITTED)
        except ValueError:
            raise ImproperlyConfigured(
                f"{level!r} is not a valid isolation level. Use a member of psycopg.IsolationLevel."
            ) from None
        connection = HotelConnection.connect(**conn_params)
        if level:
            connection.isolation_level = self.isolation_level
        connection.direct = self.direct
        connection.uses_roles = settings.DATABASE_ROLES
        connection.explicit_search_path = self._explicit_search_path
        return connection

    def _configure_connection(self, connection: HotelConnection) -> bool:
        """Configure the time zone without a SET statement, because a SET statement would change the session.

        If the server's time zone differs from Django's, each statement sets the time zone with SET LOCAL.
        """
        expected = self.timezone_name
        actual = connection.info.parameter_status("TimeZone")
        differs = bool(expected) and actual != expected and not {expected, actual} <= UTC_NAMES
        connection.time_zone_override = expected if differs else None
        if differs and settings.USE_TZ:
            connection.adapters.register_loader("timestamptz", _loader_for(self.timezone))
        else:
            register_tzloader(self.timezone, connection)
        return False

    def ensure_timezone(self) -> bool:
        if self.connection is not None:
            self._configure_connection(self.connection)
        return False

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        try:
            self.connection.ping()
        except Error:
            return False
        return True

    @async_unsafe
    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            self.connection.refuse_named_cursor()
        # _configure_connection() registers the time zone loader once. Django would register the loader for each cursor.
        return HotelCursor(self.connection)

    @async_unsafe
    def chunked_cursor(self) -> Any:
        """Return a client-side cursor for `.iterator()`.

        A server-side cursor does not work through a transaction pooler.
        """
        return self._cursor()

    # Methods of django-tenants' API. Our own code uses hotel_context() and platform_context() instead.

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """Set the schema for statements that run outside hotel_context() and platform_context().

        No role is set, so on the runtime connection the database denies access to the tables of hotels.
        """
        if tenant_or_none() is not None:
            raise RuntimeError(
                "set_tenant() or set_schema() inside a context would be ignored. "
                "Nest hotel_context() or platform_context() (tenants.context) instead."
            )
        super().set_tenant(tenant, include_public)

    @property
    def schema_name(self) -> str | None:
        tenant = tenant_or_none()
        return tenant.schema if tenant else self._schema_name

    @schema_name.setter
    def schema_name(self, name: str | None) -> None:
        self._schema_name = name

    def _explicit_search_path(self) -> tuple[str, ...]:
        if not self._schema_name:
            raise TenantNotSet
        return tuple(self._get_cursor_search_paths())

    def _handle_search_path(self, cursor: Any = None) -> None:
        """Do nothing. django-tenants sets the search_path here, but HotelCursor sends it with each statement."""


def _loader_for(zone: Any) -> type[BaseTzLoader]:
    """Return a psycopg loader class that converts timestamps to `zone`.

    psycopg's own loader would use the time zone of the session, but each statement sets another time zone with SET
    LOCAL.
    """

    class Loader(BaseTzLoader):  # type: ignore[misc]
        timezone = zone

        def load(self, data: Any) -> Any:
            return TimestamptzLoader.load(self, data).astimezone(zone)

    return Loader
