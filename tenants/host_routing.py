"""The routing table from host names to tenants, which each process keeps in memory, so a lookup needs no query.

Triggers on the tables of hotels and domains increment a version number. A thread reads this version regularly and
reloads the table after a change, so a change takes effect in all processes within a second. LISTEN/NOTIFY is not used,
because it does not work through a transaction pooler.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection, connections
from django.urls import reverse

from hotelagent.core.time_zones import known_time_zones
from tenants.context import PLATFORM, Tenant, platform_context
from tenants.models import Domain, Hotel, HotelStatus

logger = logging.getLogger(__name__)

#: Maximum time in seconds since the last check for changes. After a longer time, a lookup checks for changes first.
STALE_AFTER = 0.9
#: The thread that refreshes the routing table ends after this number of seconds without a lookup of a host.
IDLE_AFTER = 30.0
_ROUTED = (HotelStatus.ACTIVE, HotelStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Table:
    """The routing table as it was read from the database.

    `custom_host` maps a hotel to the alphabetically first of its custom domains. `by_former_host` contains the host
    names that hotels used before.
    """

    version: int
    by_host: dict[str, Tenant] = field(default_factory=dict)
    by_id: dict[UUID, Tenant] = field(default_factory=dict)
    custom_host: dict[UUID, str] = field(default_factory=dict)
    by_former_host: dict[str, Tenant] = field(default_factory=dict)


class RoutingCache:
    """The routing table of this process, and the thread that refreshes it.

    If `settings.ROUTING_CHECK_SECONDS` is 0, there is no thread, and each lookup reads the table from the database.
    """

    def __init__(self) -> None:
        self._reset()

    @property
    def interval(self) -> float:
        return float(settings.ROUTING_CHECK_SECONDS)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._table = Table(version=-1)
        self._checked_at = float("-inf")
        self._used_at = 0.0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def table(self) -> Table:
        """Return the routing table. Refresh the table first if the last refresh was too long ago."""
        now = time.monotonic()
        if self._pid != os.getpid():
            # A forked process has no refresh thread, and its copy of the lock may be locked forever.
            self._reset()
        self._used_at = now
        if now - self._checked_at > (STALE_AFTER if self.interval else 0):
            self.refresh()
            if self.interval:
                self._ensure_thread()
        return self._table

    def refresh(self) -> None:
        """Reload the routing table if its version number in the database has changed."""
        with self._lock, platform_context():
            started = time.monotonic()
            version = _read_version()
            if version != self._table.version or not self.interval:
                self._table = _read_table(version)
            # Store the time before the query, because the query may miss changes that are committed while it runs.
            self._checked_at = started

    def stop(self) -> None:
        """Stop the refresh thread and close its database connection. The next lookup starts a new thread."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join()
        self._checked_at = float("-inf")

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._refresh_periodically, args=(self._stop,), name="host-routing", daemon=True
                )
                self._thread.start()

    def _refresh_periodically(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(self.interval) and time.monotonic() - self._used_at < IDLE_AFTER:
                try:
                    self.refresh()
                # Catch every error, so that the thread survives while the database is unavailable.
                except Exception:
                    logger.warning("could not check the version of the routing table", exc_info=True)
                    connection.close()
        finally:
            connections.close_all()


def _read_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM tenants_routingversion WHERE id = 1")
        return int(cursor.fetchone()[0])


def _read_table(version: int) -> Table:
    """Read the routing table from the database. The caller has already read its version number, `version`.

    If a change is committed between the two reads, the next check finds a different version number, and the table is
    read again. An error in this function would affect all hotels. The function therefore reads only columns whose
    values can always be converted to Python values.
    """
    hotels: dict[UUID, Tenant] = {}
    by_former_host: dict[str, Tenant] = {}
    for hotel in Hotel.objects.filter(status__in=_ROUTED):
        hotels[hotel.id] = hotel.tenant
        by_former_host |= dict.fromkeys(hotel.former_hosts, hotel.tenant)
    for tenant in hotels.values():
        if tenant.time_zone not in known_time_zones():
            logger.error("the time zone %s of the hotel %s is not known here", tenant.time_zone, tenant.slug)
    by_host = {f"{tenant.slug}.{settings.PLATFORM_HOST}": tenant for tenant in hotels.values()}
    custom_host: dict[UUID, str] = {}
    for host, hotel_id in Domain.objects.values_list("host", "hotel_id"):
        if hotel_id in hotels:
            by_host[host] = hotels[hotel_id]
            custom_host.setdefault(hotel_id, host)
    by_host[settings.PLATFORM_HOST] = PLATFORM
    return Table(version, by_host, by_id=hotels, custom_host=custom_host, by_former_host=by_former_host)


routing_cache = RoutingCache()


def resolve(host: str) -> Tenant | None:
    """Return the tenant, a hotel or the platform, for a lowercase host name without port.

    Return None if the host is unknown or its hotel is neither active nor suspended.
    """
    return routing_cache.table().by_host.get(host)


def resolve_former(host: str) -> Tenant | None:
    """Return the hotel that used this host name before its slug or domains were changed, or None."""
    return routing_cache.table().by_former_host.get(host)


def by_id(hotel_id: UUID) -> Tenant | None:
    """Return the active or suspended hotel with this id, or None."""
    return routing_cache.table().by_id.get(hotel_id)


def public_url(tenant: Tenant) -> str:
    """Return the base URL of a hotel for guests and staff, or of the platform, without a trailing slash.

    The host of a hotel is its first custom domain in alphabetical order, or else `<slug>.<platform host>`.
    """
    host = routing_cache.table().custom_host.get(tenant.id) if tenant.id else None
    return _base_url(host) if host else subdomain_url(tenant)


def subdomain_url(tenant: Tenant) -> str:
    """Return the base URL of the hotel's host `<slug>.<platform host>`, or of the platform, without a trailing slash.

    A link with a secret needs this host, because the DNS record of a custom domain may lead to another server.
    """
    host = settings.PLATFORM_HOST
    return _base_url(host if tenant.is_platform else f"{tenant.slug}.{host}")


def page_path(tenant: Tenant, name: str) -> str:
    """Return the path of a tenant's page. The current request may be a request to another tenant."""
    return reverse(name, urlconf=settings.ROOT_URLCONF if tenant.is_platform else settings.HOTEL_URLCONF)


def display_name(tenant: Tenant) -> str:
    """Return the name of a hotel. The platform has no name, so return its host name."""
    return tenant.name or settings.PLATFORM_HOST


def _base_url(host: str) -> str:
    """Return the URL of a host of this deployment, without a trailing slash."""
    if getattr(settings, "SECURE_SSL_REDIRECT", False):
        return f"https://{host}"
    return f"http://{host}:{settings.PORT}"
