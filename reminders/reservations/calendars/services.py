"""Services of linked calendars: linking, unlinking and importing them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core import encryption, public_addresses
from hotelagent.core.ids import uuid7
from hotelagent.core.messages import TranslatableMessage, message_to_json
from locks.errors import RoomNotFound
from locks.models import Room
from locks.services import synchronize_closures
from reminders import due_kinds, events
from reminders.errors import CalendarConflict, CalendarNotFound, CalendarUnavailable
from reminders.local_time import hotel_time_zone, local_date
from reminders.models import LinkedCalendar, Reservation, ReservationStatus
from reminders.models.validators import stay_dates_error
from reminders.reservations.calendars.download import Validators, download, normalize_url
from reminders.reservations.calendars.event_import import import_events
from reminders.reservations.calendars.ical_parser import CalendarEvent, parse_calendar
from reminders.reservations.services import cancel_reservation
from tenants.errors import DomainError
from tenants.queue import due

#: Number of failures in a row after which one entry is added to the dead-letter queue. Imports continue nevertheless.
FAILURES_BEFORE_ALERT = 4
#: Maximum number of rejected events per import that are stored, each with its reason.
_MAX_REPORTED_EVENTS = 20
_ENCRYPTION_PURPOSE = b"calendar address"


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
        url_digest=salted_hmac("calendar address", url, algorithm="sha256").digest(),
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
    """Delete the link and its imported closures. Imported reservations are kept.

    Raises CalendarNotFound.
    """
    with transaction.atomic():
        calendar = LinkedCalendar.objects.select_related("room").filter(id=calendar_id).first()
        if calendar is None:
            raise CalendarNotFound
        record(events.CALENDAR_UNLINKED, subject=("calendar", calendar.id), **_event_fields(calendar))
        due.cancel(kind=due_kinds.CALENDAR, ids=[calendar.id])
        _import_closures(calendar, [])
        calendar.delete()


def request_sync(calendar_id: UUID) -> None:
    """Schedule an immediate import of the linked calendar. Raises CalendarNotFound."""
    if not LinkedCalendar.objects.filter(id=calendar_id).exists():
        raise CalendarNotFound
    due.schedule(kind=due_kinds.CALENDAR, items=[(calendar_id, timezone.now())])


def sync_due_calendar(calendar_id: UUID) -> bool:
    """Import a calendar that is due. Return False if this is failure number `FAILURES_BEFORE_ALERT` in a row."""
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

    The download may take seconds, so call this outside of a transaction. Raises CalendarNotFound, CalendarUnavailable
    or InvalidFile. CalendarUnavailable and InvalidFile are also stored as the calendar's last error.
    """
    calendar = LinkedCalendar.objects.filter(id=calendar_id).first()
    if calendar is None:
        raise CalendarNotFound
    try:
        result = download(
            _decrypt_url(calendar), validators=Validators(calendar.etag, calendar.last_modified)
        )
        values = {} if result.content is None else _import(calendar, result.content, result.validators)
    except DomainError as error:
        _finish_sync(
            calendar,
            consecutive_failures=F("consecutive_failures") + 1,
            last_error=message_to_json(error.detail),
        )
        raise
    _finish_sync(calendar, last_success_at=Now(), consecutive_failures=0, last_error=None, **values)


def _import(calendar: LinkedCalendar, content: bytes, validators: Validators) -> dict[str, Any]:
    """Import the downloaded content. Return the new field values of the `LinkedCalendar`."""
    zone = hotel_time_zone()
    found = parse_calendar(content, zone=zone)
    report = import_events(found, room=calendar.room_id)
    booked = {
        event.number
        for event in found
        if isinstance(event, CalendarEvent) and not event.is_closure and not event.is_cancelled
    }
    # Channels remove cancelled bookings from a calendar, but sometimes they also publish incomplete calendars.
    # Therefore a booking is only cancelled if it is missing twice in a row, and a calendar without events is ignored.
    missing = set(calendar.known_numbers) - booked if found else set()
    missing_twice = missing & set(calendar.missing_numbers)
    report.removed = _cancel_missing(missing_twice, today=local_date(timezone.now(), zone=zone))
    unavailable_nights = 0
    if calendar.import_closures and found:
        closures = [event for event in found if isinstance(event, CalendarEvent) and event.is_closure]
        report.closed_nights, unavailable_nights = _import_closures(calendar, closures)
    report_json = asdict(report)
    for name in ("rejected", "without_room"):
        report_json[name] = [
            {**event, "detail": message_to_json(event["detail"])}
            for event in report_json[name][:_MAX_REPORTED_EVENTS]
        ]
    # If an import is incomplete, no ETag is stored, so that the next import downloads the same version again.
    is_pending = report.without_room or unavailable_nights or missing - missing_twice
    if is_pending:
        validators = Validators()
    return {
        "last_report": report_json,
        "etag": validators.etag,
        "last_modified": validators.last_modified,
        "known_numbers": sorted(booked | (missing - missing_twice)) if found else calendar.known_numbers,
        "missing_numbers": sorted(missing - missing_twice),
    }


def _import_closures(calendar: LinkedCalendar, closures: Iterable[CalendarEvent]) -> tuple[int, int]:
    """Replace the imported closures of the room with those in the calendar.

    Nights on which the room is occupied are not closed. Return the number of closed nights and the number of nights
    that could not be closed.
    """
    spans = [(closure.arrival, closure.departure) for closure in closures if not closure.is_cancelled]
    spans = [span for span in spans if stay_dates_error(*span) is None]
    return synchronize_closures(
        room=calendar.room_id, spans=spans, reference=f"calendar:{calendar.id}", reason=calendar.name
    )


def _cancel_missing(numbers: Collection[str], *, today: date) -> int:
    """Cancel the missing reservations that arrive after today. Return the number of cancelled reservations.

    Earlier reservations are kept, because channels also remove past bookings from their calendars.
    """
    missing = Reservation.objects.filter(
        external_id__in=numbers, arrival__gt=today, status=ReservationStatus.BOOKED
    )
    for reservation in missing:
        cancel_reservation(reservation_id=reservation.id)
    return len(missing)


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
