"""Django's PostgreSQL backend, where every statement carries its hotel (DESIGN 4.1).

Built on django-tenants' backend, whose API for an explicit schema stays (set_tenant, set_schema,
schema_name). What it does not keep: a search_path set on the session, and the fall-back to `public`.
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

# OPTIONS of the database settings that a statement with its hotel before it can't work with, and why.
REFUSED_OPTIONS = {
    "pool": "a pool in each process would hold connections that the pooler should share",
    "server_side_binding": "the extended protocol takes one statement a message",
    "prepare_threshold": "prepared statements belong to one server connection",
    "assume_role": "the role is the hotel's, set with each statement",
    "cursor_factory": "this backend's own cursor sends the hotel with each statement",
}
# A server that says Etc/UTC (many do) need not be told UTC with each statement.
UTC_NAMES = {"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"}


class DatabaseWrapper(tenants_base.DatabaseWrapper):  # type: ignore[misc]
    SchemaEditorClass = HotelSchemaEditor

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super(tenants_base.DatabaseWrapper, self).__init__(settings_dict, alias)
        # django-tenants would begin in `public`. Here nothing is set until somebody says so.
        self.tenant: Any = None
        self._schema_name: str | None = None
        self.introspection = HotelIntrospection(self)
        # The database postgres, where databases are made, has no hotels.
        self.direct = bool(settings_dict.get("DIRECT")) or alias == NO_DB_ALIAS

    # Connecting

    @async_unsafe
    def connect(self) -> None:
        """What is asked while connecting (django.contrib.postgres looks up types) is about no hotel."""
        with platform_context():
            super().connect()

    def get_connection_params(self) -> dict[str, Any]:
        options = self.settings_dict["OPTIONS"]
        for option, why in REFUSED_OPTIONS.items():
            if options.get(option):
                raise ImproperlyConfigured(
                    f"DATABASES['{self.alias}']['OPTIONS']['{option}'] can't be used with tenants.database.backend: "
                    f"{why}. Remove it."
                )
        return {**super().get_connection_params(), "cursor_factory": HotelCursor}

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> HotelConnection:
        level = self.settings_dict["OPTIONS"].get("isolation_level")
        try:
            self.isolation_level = IsolationLevel(level or IsolationLevel.READ_COMMITTED)
        except ValueError:
            raise ImproperlyConfigured(
                f"{level!r} is no transaction isolation level. Use one of psycopg.IsolationLevel."
            ) from None
        connection = HotelConnection.connect(**conn_params)
        if level:
            connection.isolation_level = self.isolation_level
        connection.direct = self.direct
        connection.roles = settings.DATABASE_ROLES
        connection.explicit_path = self._explicit_path
        return connection

    def _configure_connection(self, connection: HotelConnection) -> bool:
        """No SET on the session: where the server's time zone is another, it goes before each statement."""
        wanted = self.timezone_name
        servers = connection.info.parameter_status("TimeZone")
        differs = bool(wanted) and servers != wanted and not {wanted, servers} <= UTC_NAMES
        connection.local_time_zone = wanted if differs else None
        if differs and settings.USE_TZ:
            connection.adapters.register_loader("timestamptz", _loader_in(self.timezone))
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
        # Django would look up the time zone's loader for each cursor; _configure_connection() has set it.
        return HotelCursor(self.connection)

    @async_unsafe
    def chunked_cursor(self) -> Any:
        """`.iterator()`: a server-side cursor would stay on a server connection that others use meanwhile."""
        return self._cursor()

    # django-tenants' API. Our own code says hotel_context() and platform_context() instead.

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """Set the schema of statements that run in no context. It gets no hotel's role, so on the runtime
        route the database refuses it what only hotels may see."""
        if tenant_or_none() is not None:
            raise RuntimeError(
                "set_tenant() or set_schema() inside a context would be ignored: "
                "nest hotel_context() or platform_context() (tenants.context) instead."
            )
        super().set_tenant(tenant, include_public)

    @property
    def schema_name(self) -> str | None:
        tenant = tenant_or_none()
        return tenant.schema if tenant else self._schema_name

    @schema_name.setter
    def schema_name(self, name: str | None) -> None:
        self._schema_name = name

    def _explicit_path(self) -> tuple[str, ...]:
        if not self._schema_name:
            raise TenantNotSet
        return tuple(self._get_cursor_search_paths())

    def _handle_search_path(self, cursor: Any = None) -> None:
        """django-tenants' SET of the session. Ours goes with each statement (cursors.py)."""


def _loader_in(zone: Any) -> type[BaseTzLoader]:
    """psycopg takes the zone that the connection reports for the text's; SET LOCAL makes them differ."""

    class Loader(BaseTzLoader):  # type: ignore[misc]
        timezone = zone

        def load(self, data: Any) -> Any:
            return TimestamptzLoader.load(self, data).astimezone(zone)

    return Loader
