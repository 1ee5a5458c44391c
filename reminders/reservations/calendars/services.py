"""Services that link, unlink and import channels' calendars."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core import encryption, public_addresses
from hotelagent.core.ids import uuid7
from hotelagent.core.messages import TranslatableMessage, message_to_json
from locks.errors import RoomNotFound
from locks.models import Room
from reminders import due_kinds, events
from reminders.errors import CalendarConflict, CalendarNotFound, CalendarUnavailable, InvalidFile
from reminders.models import LinkedCalendar
from reminders.reservations.calendars.download import Validators, download, normalize_url
from reminders.reservations.calendars.event_import import UNRELATED_ERRORS, error_location
from reminders.reservations.calendars.linked_import import import_download, remove_closures
from reminders.reservations.calendars.uids import url_digest
from tenants.errors import DomainError
from tenants.queue import due

#: After this number of failed imports in a row, a failure is added to the dead-letter queue. The imports continue.
FAILURES_BEFORE_ALERT = 4
_ENCRYPTION_PURPOSE = b"calendar address"

log = structlog.get_logger(__name__)


def link_calendar(*, room: int, name: str, url: str, import_closures: bool = True) -> LinkedCalendar:
    """Link a channel's calendar to a room. Workers import the calendar soon, and then regularly.

    The URL is not opened before the first import. Raises InvalidCalendarUrl, RoomNotFound or CalendarConflict.
    """
    url = normalize_url(url)
    linked_room = Room.objects.filter(id=room).first()
    if linked_room is None:
        raise RoomNotFound(gettext("There is no room with the id {}.").format(room), rooms=[room])
    calendar_id = uuid7()
    calendar = LinkedCalendar(
        id=calendar_id,
        room=linked_room,
        name=name,
        import_closures=import_closures,
        host=public_addresses.parse_url(url).host,
        encrypted_url=encryption.encrypt(
            url.encode(),
            key=encryption.derive_key(_ENCRYPTION_PURPOSE),
            associated_data=calendar_id.bytes,
        ),
        url_digest=url_digest(url),
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                calendar.save(force_insert=True)
        except IntegrityError:
            raise CalendarConflict(
                gettext("This calendar is already linked to a room. Unlink it from that room first.")
            ) from None
        due.schedule(kind=due_kinds.CALENDAR, items=[(calendar_id, timezone.now())])
        record(events.CALENDAR_LINKED, subject=("calendar", calendar_id), **_event_fields(calendar))
    return calendar


def unlink_calendar(calendar_id: UUID) -> None:
    """Unlink the calendar and delete its imported closures. Imported reservations are kept. Raises CalendarNotFound."""
    with transaction.atomic():
        calendar = LinkedCalendar.objects.select_related("room").filter(id=calendar_id).first()
        if calendar is None:
            raise CalendarNotFound
        record(events.CALENDAR_UNLINKED, subject=("calendar", calendar.id), **_event_fields(calendar))
        due.cancel(kind=due_kinds.CALENDAR, ids=[calendar.id])
        remove_closures(calendar)
        calendar.delete()


def request_sync(calendar_id: UUID) -> None:
    """Schedule an immediate import of the linked calendar. Raises CalendarNotFound."""
    if not LinkedCalendar.objects.filter(id=calendar_id).exists():
        raise CalendarNotFound
    due.schedule(kind=due_kinds.CALENDAR, items=[(calendar_id, timezone.now())])


def sync_due_calendar(calendar_id: UUID) -> bool:
    """Import a linked calendar whose next import is due.

    Return False if this was failure number `FAILURES_BEFORE_ALERT` in a row, so that staff are alerted once. Otherwise
    return True.
    """
    try:
        sync_calendar(calendar_id)
    except CalendarNotFound:
        due.cancel(kind=due_kinds.CALENDAR, ids=[calendar_id])
    except DomainError:
        calendars = LinkedCalendar.objects.filter(id=calendar_id)
        failures = calendars.values_list("consecutive_failures", flat=True).first()
        return failures != FAILURES_BEFORE_ALERT
    return True


def sync_calendar(calendar_id: UUID) -> None:
    """Download and import the calendar, and schedule the next import.

    The download may take seconds, so call this function outside of a transaction. Raises CalendarNotFound,
    CalendarUnavailable or InvalidFile. An error is also stored as the calendar's last error.
    """
    calendar = LinkedCalendar.objects.filter(id=calendar_id).first()
    if calendar is None:
        raise CalendarNotFound
    try:
        result = download(
            _decrypt_url(calendar), validators=Validators(calendar.etag, calendar.last_modified)
        )
        values = {} if result.content is None else import_download(calendar, result)
    except DomainError as error:
        _record_failure(calendar, error.detail)
        raise
    except Exception as error:
        text = _(
            "The calendar could not be imported because of an unexpected error ({error}). The import will be retried "
            "automatically, and the operators can see the error."
        )
        message = TranslatableMessage(text, error=type(error).__name__)
        _record_failure(calendar, message)
        if isinstance(error, UNRELATED_ERRORS):
            raise
        # The text of the error is not logged, because it may contain the name of a guest.
        log.error("calendar.not_imported", calendar=str(calendar.id), error=error_location(error))  # noqa: TRY400
        raise InvalidFile(message) from None
    _finish_sync(calendar, last_success_at=Now(), consecutive_failures=0, last_error=None, **values)


def _record_failure(calendar: LinkedCalendar, message: str) -> None:
    _finish_sync(
        calendar,
        consecutive_failures=F("consecutive_failures") + 1,
        last_error=message_to_json(message),
    )


def _finish_sync(calendar: LinkedCalendar, **values: Any) -> None:
    """Store the result of an import and schedule the next import, unless the calendar was unlinked meanwhile."""
    with transaction.atomic():
        if LinkedCalendar.objects.filter(id=calendar.id).update(last_attempt_at=Now(), **values):
            due.schedule(kind=due_kinds.CALENDAR, items=[(calendar.id, _next_sync(calendar.id))])


def _next_sync(calendar_id: UUID) -> datetime:
    """Return the time of the next import.

    The time depends on the calendar id, so that the imports of many calendars are spread out.
    """
    interval = timedelta(minutes=settings.CALENDAR_POLL_MINUTES)
    return timezone.now() + interval * (1 + calendar_id.int % 100 / 1000)


def _decrypt_url(calendar: LinkedCalendar) -> str:
    try:
        return encryption.decrypt(
            bytes(calendar.encrypted_url),
            key=encryption.derive_key(_ENCRYPTION_PURPOSE),
            associated_data=calendar.id.bytes,
        ).decode()
    except InvalidTag:
        raise CalendarUnavailable(
            TranslatableMessage(
                _(
                    "SECRET_KEY has changed, so the URL can't be decrypted. Unlink the calendar and link it again."
                )
            )
        ) from None


def _event_fields(calendar: LinkedCalendar) -> dict[str, str]:
    return {"name": calendar.name, "host": calendar.host, "room": calendar.room.number}
