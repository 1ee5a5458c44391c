"""The import of a downloaded calendar into the linked room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from hotelagent.core.messages import message_to_json
from locks.allocations.occupancy import Span
from locks.policy import MAX_CLOSURE_NIGHTS
from locks.services import synchronize_closures
from reminders import local_time
from reminders.models import LinkedCalendar, Reservation
from reminders.reservations.calendars.content import read_calendar
from reminders.reservations.calendars.download import Download, Validators
from reminders.reservations.calendars.event_import import import_events
from reminders.reservations.calendars.ical_parser import parse_calendar
from reminders.reservations.calendars.matching import EXPECTED_STATUSES, CalendarSource
from reminders.reservations.services import cancel_reservation

#: After this number of consecutive imports in which a calendar has no events, its bookings are cancelled.
EMPTY_IMPORTS_BEFORE_CANCELLATION = 3
#: The maximum length of each list of events in a stored report, such as the list of rejected events.
_MAX_REPORTED_EVENTS = 20


def import_download(calendar: LinkedCalendar, download: Download) -> dict[str, Any]:
    """Import the downloaded content. Return the new field values of the `LinkedCalendar`. Raises InvalidFile."""
    today = local_time.today()
    parsed = parse_calendar(
        read_calendar(download.content or b"", charset=download.charset),
        zone=local_time.hotel_time_zone(),
        today=today,
    )
    result = import_events(parsed, source=_source(calendar))
    report = result.report
    empty_imports = 0 if report.events else calendar.empty_imports + 1
    # A channel may publish an incomplete or empty calendar by mistake.
    # Bookings that are missing from an incomplete or empty calendar are not cancelled yet.
    is_trusted = parsed.is_complete and not 0 < empty_imports < EMPTY_IMPORTS_BEFORE_CANCELLATION
    expected = _expected_reservations(calendar, today=today)
    missing = expected.keys() - result.uids
    if not parsed.is_complete:
        missing &= set(calendar.missing_uids)
    confirmed = missing & set(calendar.missing_uids) if is_trusted else set()
    for uid in confirmed:
        cancel_reservation(reservation_id=expected[uid])
    report.removed = len(confirmed)
    spans = [*result.unassigned, *(result.closures if calendar.import_closures else ())]
    report.closed_nights, unavailable_nights = synchronize_closures(
        room=calendar.room_id,
        spans=_clip(spans, today=today),
        reference=_closure_reference(calendar),
        reason=calendar.name,
        reopens=is_trusted,
    )
    # If an import is incomplete, no ETag is stored, so that the next import downloads the same version again.
    is_pending = (
        report.without_room
        or unavailable_nights
        or missing - confirmed
        or not is_trusted
        or parsed.reaches_horizon
    )
    validators = Validators() if is_pending else download.validators
    return {
        "last_report": report.as_json(limit=_MAX_REPORTED_EVENTS, detail=message_to_json),
        "etag": validators.etag,
        "last_modified": validators.last_modified,
        "missing_uids": sorted(missing - confirmed),
        "empty_imports": min(empty_imports, EMPTY_IMPORTS_BEFORE_CANCELLATION),
    }


def remove_closures(calendar: LinkedCalendar) -> None:
    """Reopen the room on all nights that were closed because of the calendar."""
    synchronize_closures(
        room=calendar.room_id, spans=[], reference=_closure_reference(calendar), reason=calendar.name
    )


def _source(calendar: LinkedCalendar) -> CalendarSource:
    return CalendarSource(
        digest=bytes(calendar.url_digest),
        room=calendar.room_id,
        closure_reference=_closure_reference(calendar),
        closure_reason=calendar.name,
    )


def _closure_reference(calendar: LinkedCalendar) -> str:
    return f"calendar:{calendar.id}"


def _expected_reservations(calendar: LinkedCalendar, *, today: date) -> dict[str, UUID]:
    """Return a dict that maps event UIDs to the ids of the calendar's reservations that arrive after today.

    The import cancels such a reservation if its event is missing. Earlier reservations are never cancelled, because
    channels also remove past bookings from their calendars.
    """
    return dict(
        Reservation.objects.filter(
            calendar_digest=bytes(calendar.url_digest), arrival__gt=today, status__in=EXPECTED_STATUSES
        ).values_list("calendar_uid", "id")
    )


def _clip(spans: Iterable[Span], *, today: date) -> list[Span]:
    """Limit the spans to the nights from today to ten years ahead. Omit spans that have no nights in this period."""
    last = today + timedelta(days=MAX_CLOSURE_NIGHTS)
    clipped = [(max(check_in, today), min(check_out, last)) for check_in, check_out in spans]
    return [span for span in clipped if span[0] < span[1]]
