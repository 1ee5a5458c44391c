"""Host -> hotel, without a query on a warm process, and true within a second.

Each process keeps the whole table in memory: an unknown host costs no query either. A thread asks the database
every `settings.ROUTING_CHECK_SECONDS` for one number, which triggers on the tables behind it make grow. Not
LISTEN/NOTIFY, which a transaction pooler does not pass on; not Redis, which may be down. If the thread is late, the
request asks itself.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection, connections

from tenants.context import PLATFORM, Tenant, platform_context
from tenants.models import Domain, Hotel, HotelStatus

logger = logging.getLogger(__name__)

#: Older than this and whoever asks looks at the version first.
STALE_AFTER = 0.9
#: A process that nobody has asked for this long stops looking.
IDLE_AFTER = 30.0
_ROUTED = (HotelStatus.ACTIVE, HotelStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Table:
    version: int
    by_host: dict[str, Tenant] = field(default_factory=dict)
    by_id: dict[UUID, Tenant] = field(default_factory=dict)
    own_host: dict[UUID, str] = field(default_factory=dict)


class Routes:
    """The table of this process, checked every `settings.ROUTING_CHECK_SECONDS`; 0: read at each question."""

    def __init__(self) -> None:
        self._forget()

    @property
    def every(self) -> float:
        return float(settings.ROUTING_CHECK_SECONDS)

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._table = Table(version=-1)
        self._checked_at = float("-inf")
        self._asked_at = 0.0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def table(self) -> Table:
        now = time.monotonic()
        if self._pid != os.getpid():
            self._forget()  # a fork takes neither the thread nor a lock's owner along
        self._asked_at = now
        if now - self._checked_at > (STALE_AFTER if self.every else 0):
            self.check()
            if self.every:
                self._ensure_thread()
        return self._table

    def check(self) -> None:
        """Look at the version, and read the table again if it grew."""
        with self._lock, platform_context():
            started = time.monotonic()
            version = _version()
            if version != self._table.version or not self.every:
                self._table = _read(version)
            # The moment before the query: what is committed after it may be missed by it.
            self._checked_at = started

    def stop(self) -> None:
        """End the thread and its connection; the next question starts it again."""
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
                    target=self._watch, args=(self._stop,), name="routes", daemon=True
                )
                self._thread.start()

    def _watch(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(self.every) and time.monotonic() - self._asked_at < IDLE_AFTER:
                try:
                    self.check()
                except Exception:  # the thread must outlive a database that is away
                    logger.warning("the table of hosts could not be checked", exc_info=True)
                    connection.close()
        finally:
            connections.close_all()


def _version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM tenants_routingversion WHERE id = 1")
        return int(cursor.fetchone()[0])


def _read(version: int) -> Table:
    """Read after the version: what is newer than it is read again, never missed."""
    hotels = {hotel.id: hotel.tenant for hotel in Hotel.objects.filter(status__in=_ROUTED)}
    by_host = {f"{tenant.slug}.{settings.PLATFORM_HOST}": tenant for tenant in hotels.values()}
    own_host: dict[UUID, str] = {}
    for host, hotel_id in Domain.objects.values_list("host", "hotel_id"):
        if hotel_id in hotels:
            by_host[host] = hotels[hotel_id]
            own_host.setdefault(hotel_id, host)
    by_host[settings.PLATFORM_HOST] = PLATFORM
    return Table(version=version, by_host=by_host, by_id=hotels, own_host=own_host)


routes = Routes()


def resolve(host: str) -> Tenant | None:
    """The tenant of a host name without port, in lower case: active or suspended hotel, platform, or None."""
    return routes.table().by_host.get(host)


def by_id(hotel_id: UUID) -> Tenant | None:
    """The tenant of an active or suspended hotel."""
    return routes.table().by_id.get(hotel_id)


def public_url(hotel: Tenant) -> str:
    """Where guests and staff reach a hotel: its own domain, the first by name, else the one below the platform's.

    Without a slash at the end.
    """
    host = routes.table().own_host.get(hotel.id) if hotel.id else None
    host = host or f"{hotel.slug}.{settings.PLATFORM_HOST}"
    if getattr(settings, "SECURE_SSL_REDIRECT", False):
        return f"https://{host}"
    return f"http://{host}:{settings.PORT}"
