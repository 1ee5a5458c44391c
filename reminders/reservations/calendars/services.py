"""The calendars that channels publish for a room: adding and removing their addresses, and reading them."""

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
from locks.errors import UnknownRoom
from locks.models import Room
from locks.services import keep_closed
from reminders import due_kinds, events
from reminders.errors import CalendarConflict, CalendarNotFound, CalendarUnavailable
from reminders.models import Reservation, ReservationStatus
from reminders.models.validators import stay_dates_error
from reminders.planning.schedule import hotel_time_zone, local_date
from reminders.reservations.calendars.fetching import Seen, fetch, normalize_url
from reminders.reservations.calendars.importing import import_events
from reminders.reservations.calendars.models import CalendarAddress
from reminders.reservations.calendars.parsing import Event, read
from reminders.reservations.services import cancel_reservation
from tenants.errors import DomainError
from tenants.queue import due

#: Failures in a row after which people are told of it, once (the dlq); it is asked again all the same.
TRIES = 4
#: Of the events that can't be stored so many are kept by name.
_NAMED = 20
_PURPOSE = b"calendar address"


def add_calendar(*, room: int, name: str, url: str, closes_room: bool = True) -> CalendarAddress:
    """Have the calendar at this address read for a room, from now on. The address is not shown again.

    Raises InvalidCalendarUrl, UnknownRoom or CalendarConflict. A name is looked up when the
    calendar is read, not here.
    """
    url = normalize_url(url)
    found = Room.objects.filter(id=room).first()
    if found is None:
        raise UnknownRoom(gettext("No room has the id {}.").format(room), rooms=[room])
    key = uuid7()
    address = CalendarAddress(
        id=key,
        room=found,
        name=name,
        closes_room=closes_room,
        host=public_addresses.parse_url(url).host,
        sealed_url=encryption.encrypt(
            url.encode(), key=encryption.derive_key(_PURPOSE), associated_data=key.bytes
        ),
        url_digest=salted_hmac("calendar address", url, algorithm="sha256").digest(),
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                address.save(force_insert=True)
        except IntegrityError:
            raise CalendarConflict(gettext("An address is one room's. Remove it there first.")) from None
        due.schedule(kind=due_kinds.CALENDAR, items=[(key, timezone.now())])
        record(events.CALENDAR_ADDED, subject=("calendar", key), **_naming(address))
    return address


def remove_calendar(address_id: UUID) -> None:
    """Read it no more: the nights that it closed are open, and the bookings that it brought stay.

    Raises CalendarNotFound.
    """
    with transaction.atomic():
        address = CalendarAddress.objects.select_related("room").filter(id=address_id).first()
        if address is None:
            raise CalendarNotFound
        record(events.CALENDAR_REMOVED, subject=("calendar", address.id), **_naming(address))
        due.cancel(kind=due_kinds.CALENDAR, ids=[address.id])
        _close(address, [])
        address.delete()


def read_soon(address_id: UUID) -> None:
    """As soon as a worker is free. Raises CalendarNotFound."""
    if not CalendarAddress.objects.filter(id=address_id).exists():
        raise CalendarNotFound
    due.schedule(kind=due_kinds.CALENDAR, items=[(address_id, timezone.now())])


def poll(address_id: UUID) -> bool:
    """Read a calendar that is due, and say when next; False where it has failed `TRIES` times in a row just now."""
    try:
        read_calendar(address_id)
    except CalendarNotFound:
        due.cancel(kind=due_kinds.CALENDAR, ids=[address_id])
    except DomainError:
        failures = CalendarAddress.objects.filter(id=address_id).values_list("failures", flat=True).first()
        return failures != TRIES
    return True


def read_calendar(address_id: UUID) -> None:
    """Read it now and bring in what it says. Outside of any transaction, for it may take seconds.

    Raises CalendarNotFound, CalendarUnavailable or InvalidFile: what it was is kept with the address.
    """
    address = CalendarAddress.objects.filter(id=address_id).first()
    if address is None:
        raise CalendarNotFound
    try:
        fetched = fetch(_unsealed(address), seen=Seen(address.etag, address.modified))
        values = {} if fetched.content is None else _bring_in(address, fetched.content, fetched.seen)
    except DomainError as error:
        _settle(address, failures=F("failures") + 1, error=message_to_json(error.detail))
        raise
    _settle(address, read_at=Now(), failures=0, error=None, **values)


def _bring_in(address: CalendarAddress, content: bytes, seen: Seen) -> dict[str, Any]:
    """What is to be kept with the address."""
    zone = hotel_time_zone()
    found = read(content, zone=zone)
    report = import_events(found, room=address.room_id)
    booked = {
        event.number
        for event in found
        if isinstance(event, Event) and not event.is_block and not event.is_cancelled
    }
    # Channels take a cancelled booking out of the calendar, and a calendar may lack something for once: what is missing
    # twice in a row is cancelled. One without any event is none that a channel makes.
    missing = set(address.held) - booked if found else set()
    over = missing & set(address.gone)
    report.vanished = _cancel(over, today=local_date(timezone.now(), zone=zone))
    taken = 0
    if address.closes_room and found:
        blocks = [event for event in found if isinstance(event, Event) and event.is_block]
        report.closed, taken = _close(address, blocks)
    shown = asdict(report)
    for name in ("refused", "without_room"):
        shown[name] = [
            {**event, "detail": message_to_json(event["detail"])} for event in shown[name][:_NAMED]
        ]
    # What lacks its room, or is missing, is looked at again though the calendar be the same.
    seen = Seen() if report.without_room or taken or missing - over else seen
    return {
        "report": shown,
        "etag": seen.etag,
        "modified": seen.modified,
        "held": sorted(booked | (missing - over)) if found else address.held,
        "gone": sorted(missing - over),
    }


def _close(address: CalendarAddress, blocks: Iterable[Event]) -> tuple[int, int]:
    """Nights, closed and not: the channel's, as far as the room is not taken on them by what we know of ourselves."""
    spans = [(block.arrival, block.departure) for block in blocks if not block.is_cancelled]
    spans = [span for span in spans if stay_dates_error(*span) is None]
    return keep_closed(
        room=address.room_id, spans=spans, reference=f"calendar:{address.id}", reason=address.name
    )


def _cancel(numbers: Collection[str], *, today: date) -> int:
    """Those of them who have not come: what is past leaves a calendar, too."""
    leaving = Reservation.objects.filter(
        external_id__in=numbers, arrival__gt=today, status=ReservationStatus.BOOKED
    )
    for reservation in leaving:
        cancel_reservation(reservation_id=reservation.id)
    return len(leaving)


def _settle(address: CalendarAddress, **values: Any) -> None:
    """What came of it, and when it is read next, at once: an address that was removed meanwhile is not due again."""
    with transaction.atomic():
        if CalendarAddress.objects.filter(id=address.id).update(polled_at=Now(), **values):
            due.schedule(kind=due_kinds.CALENDAR, items=[(address.id, _next(address.id))])


def _next(address_id: UUID) -> datetime:
    """Up to a tenth later than the interval, each address by its own part of it: they don't all come at once."""
    interval = timedelta(minutes=settings.CALENDAR_POLL_MINUTES)
    return timezone.now() + interval * (1 + address_id.int % 100 / 1000)


def _unsealed(address: CalendarAddress) -> str:
    try:
        return encryption.decrypt(
            bytes(address.sealed_url), key=encryption.derive_key(_PURPOSE), associated_data=address.id.bytes
        ).decode()
    except InvalidTag:
        raise CalendarUnavailable(
            TranslatableMessage(
                _(
                    "The address was sealed with another SECRET_KEY. Remove it, and add it anew from the channel."
                )
            )
        ) from None


def _naming(address: CalendarAddress) -> dict[str, str]:
    return {"name": address.name, "host": address.host, "room": address.room.number}
