"""Django's session store for the table `tenants_session`, with an idle timeout and an absolute timeout.

The table contains a digest of each session key. The list of a user's sessions shows the columns of the table.
"""

import datetime
import hashlib
import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import Error as DatabaseError
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from hotelagent.core.text import storable
from tenants.access.client_address import client_address
from tenants.context import current_tenant
from tenants.database.availability import is_database_unavailable
from tenants.models import Session
from tenants.unaudited import unaudited

#: `last_used_at` is updated at most once per minute for each session, to limit writes.
LAST_USED_RESOLUTION = datetime.timedelta(minutes=1)
#: The key in the session's data for the Unix time of the login. The absolute timeout begins at this time.
_STARTED = "_started"
_MAX_USER_AGENT = 300


def session_id(session_key: str) -> UUID:
    """Return the id of the row with this session key: the first 128 bits of the key's SHA-256 digest."""
    return UUID(bytes=hashlib.sha256(session_key.encode()).digest()[:16])


def idle_timeout() -> datetime.timedelta:
    """Return the time without a request after which the sessions of the current tenant end."""
    is_platform = current_tenant().is_platform
    minutes = settings.PLATFORM_IDLE_MINUTES if is_platform else settings.HOTEL_IDLE_MINUTES
    return datetime.timedelta(minutes=minutes)


def valid_sessions() -> QuerySet[Session]:
    """Return the sessions of the current tenant whose idle timeout and absolute timeout have not passed."""
    now = timezone.now()
    return Session.objects.filter(expires_at__gt=now, last_used_at__gt=now - idle_timeout())


class SessionStore(SessionBase):
    """The session of a request. Its absolute timeout is SESSION_COOKIE_AGE seconds after the login."""

    #: The client of the current request, which ClientSessionMiddleware sets.
    ip: str | None = None
    user_agent: str = ""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._last_used_at: datetime.datetime | None = None

    def set_client(self, request: HttpRequest) -> None:
        """Store the client's IP address and user agent, which are saved with the session."""
        self.ip = client_address(request).ip
        self.user_agent = storable(request.headers.get("User-Agent", ""))[:_MAX_USER_AGENT]

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(id=session_id(session_key)).exists()

    def load(self) -> dict[str, Any]:
        row = valid_sessions().filter(id=session_id(self.session_key)).first() if self.session_key else None
        if row is None:
            self._session_key = None
            return {}
        self._last_used_at = row.last_used_at
        return self.decode(row.data)

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    @unaudited("Logins and logouts are recorded, and a session contains no other business data.")
    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        now = timezone.now()
        started = data.setdefault(_STARTED, time.time())
        started_at = datetime.datetime.fromtimestamp(started, datetime.UTC)
        values = {
            "user_id": data.get(SESSION_KEY),
            "data": self.encode(data),
            "created_at": started_at,
            "last_used_at": now,
            "expires_at": started_at + datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE),
            "ip": self.ip,
            "user_agent": self.user_agent,
        }
        id_ = session_id(self.session_key)
        self._last_used_at = now
        if not must_create:
            if not Session.objects.filter(id=id_).update(**values):
                raise UpdateError
            return None
        try:
            with transaction.atomic():
                Session.objects.create(id=id_, **values)
        except IntegrityError as error:
            raise CreateError from error
        return None

    @unaudited("Logins and logouts are recorded, and a session contains no other business data.")
    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(id=session_id(key)).delete()

    def get_expiry_age(self, **_options: Any) -> int:
        """Return the seconds until the absolute timeout. A change of the session's data does not extend the timeout."""
        started = self.get(_STARTED, time.time())
        return max(0, int(started + settings.SESSION_COOKIE_AGE - time.time()))

    @unaudited("The time of the last use is no business data.")
    def record_use(self) -> None:
        """Set `last_used_at` to now unless it was set within the last minute.

        If the database is read-only or unavailable, the error is ignored, so that staff can still read during a
        failover.
        """
        now = timezone.now()
        if not self.session_key or not self._last_used_at or now - self._last_used_at < LAST_USED_RESOLUTION:
            return
        client = {"ip": self.ip, "user_agent": self.user_agent}
        try:
            Session.objects.filter(id=session_id(self.session_key)).update(last_used_at=now, **client)
        except DatabaseError as error:
            if connection.in_atomic_block or not is_database_unavailable(error):
                raise


@receiver(user_logged_in)
def _restart_absolute_timeout(*, request: HttpRequest, **_: Any) -> None:
    """Start the absolute timeout of the session again at the login, because the session may be older than the login."""
    if hasattr(request, "session"):
        request.session[_STARTED] = time.time()
