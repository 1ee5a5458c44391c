"""The import of calendar events as reservations. Importing the same calendar again changes nothing.

An event is identified by its calendar and its UID (`uids.py`), so a calendar only changes reservations that came from
the same calendar.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.allocations.occupancy import Span
from locks.nights import Nights
from locks.selectors import Clash, clashes
from locks.services import NewStay, add_stays, exclude_from_closures
from reminders.errors import InvalidReservation
from reminders.local_time import hotel_time_zone, today
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.calendars import uids
from reminders.reservations.calendars.content import MAX_EVENTS, CalendarContent, read_calendar
from reminders.reservations.calendars.ical_parser import (
    Booking,
    Cancellation,
    Closure,
    Entry,
    EventProblem,
    ParsedCalendar,
    parse_calendar,
)
from reminders.reservations.calendars.matching import (
    CANNOT_BE_CANCELLED,
    DATES_ARE_FINAL,
    EXPECTED_STATUSES,
    CalendarSource,
    ReservationFinder,
)
from reminders.reservations.calendars.report import CalendarReport
from reminders.reservations.services import (
    cancel_reservation,
    create_calendar_reservation,
    upsert_reservation,
)
from tenants.errors import DomainError

SOURCE = "iCalendar"
_Outcome = Literal["created", "updated", "cancelled", "unchanged"]
#: Errors that are not caused by the content of a calendar. Such an error stops the import, which is repeated later.
UNRELATED_ERRORS = (SoftTimeLimitExceeded, OperationalError, InterfaceError)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ImportResult:
    """The result of an import.

    `uids` contains the UIDs of the reservations that are still in the calendar. `closures` are the nights that the
    channel has closed. `unassigned` are the nights of events that could not be imported or got no room.
    """

    report: CalendarReport
    uids: set[str] = field(default_factory=set)
    closures: list[Span] = field(default_factory=list)
    unassigned: list[Span] = field(default_factory=list)


def import_calendar(
    content: bytes, *, charset: str = "", url: str = "", max_events: int = MAX_EVENTS
) -> CalendarReport:
    """Import the events of an iCalendar file as reservations, without assigning rooms. Raises InvalidFile.

    Reservations that are missing from the file are not changed. If the file was downloaded, `url` is its URL, and
    `charset` is the character set of the HTTP response.
    """
    return import_content(read_calendar(content, charset=charset), url=url, max_events=max_events)


def import_content(
    content: CalendarContent, *, url: str = "", max_events: int = MAX_EVENTS
) -> CalendarReport:
    """Import the events of a calendar file that has been read. See `import_calendar`."""
    parsed = parse_calendar(content, zone=hotel_time_zone(), today=today(), max_events=max_events)
    digest = uids.url_digest(url) if url else uids.FILE_DIGEST
    return import_events(parsed, source=CalendarSource(digest)).report


def import_events(parsed: ParsedCalendar, *, source: CalendarSource) -> ImportResult:
    """Create, update and cancel reservations as the events require, each in a separate transaction.

    If a reservation exists, only its dates, its cancellation and its inquiry status are updated. Every booking gets a
    stay in the room of the calendar. If the room is not available, the reservation is stored without a stay and listed
    in `without_room`. An event that can't be stored is listed in `rejected`.
    """
    importer = EventImporter(source, parsed, ImportResult(CalendarReport.of(parsed)))
    for entry in parsed.entries:
        importer.import_entry(entry)
    return importer.result


class EventImporter:
    """The import of the events of one calendar, one after the other. The results are added to `result`."""

    def __init__(self, source: CalendarSource, parsed: ParsedCalendar, result: ImportResult) -> None:
        self._source = source
        self.result = result
        own_uids = {
            entry.uid
            for entry in parsed.entries
            if isinstance(entry, EventProblem)
            or (isinstance(entry, Booking) and not entry.is_matched_by_dates)
        }
        self._finder = ReservationFinder(source, own_uids=own_uids)

    def import_entry(self, entry: Entry) -> None:
        """Import one event of the calendar. An event that can't be imported is added to the rejected events."""
        match entry:
            case EventProblem():
                self._reject(entry)
            case Closure():
                self.result.report.closures += 1
                self.result.closures.extend(entry.nights)
            case Booking() | Cancellation():
                self._import_guarded(entry)

    def _reject(self, problem: EventProblem) -> None:
        self.result.report.rejected.append(problem)
        self.result.unassigned.extend(problem.nights)
        self.result.uids.add(problem.uid)

    def _import_guarded(self, event: Booking | Cancellation) -> None:
        nights = ((event.arrival, event.departure),) if isinstance(event, Booking) else ()
        try:
            outcome = self._import_booking(event) if isinstance(event, Booking) else self._cancel(event)
        except UNRELATED_ERRORS:
            raise
        except InvalidReservation as error:
            self._reject(EventProblem(event.uid, _reason(error), nights))
        except DomainError as error:
            self._reject(EventProblem(event.uid, error.detail, nights))
        except Exception as error:  # noqa: BLE001 - no event may prevent the import of the others
            # The text of the error is not logged, because it may contain the name of a guest.
            log.error("calendar.event_not_imported", error=error_location(error))  # noqa: TRY400
            text = _(
                "The event could not be imported because of an unexpected error ({error}). Check the booking in the "
                "channel. The operators can see the error."
            )
            self._reject(
                EventProblem(event.uid, TranslatableMessage(text, error=type(error).__name__), nights)
            )
        else:
            report = self.result.report
            setattr(report, outcome, getattr(report, outcome) + 1)

    def _cancel(self, event: Cancellation) -> _Outcome:
        with transaction.atomic():
            stored = (
                self._finder.by_dates(event.uid, event.nights)
                if event.nights
                else self._finder.by_uid(event.uid)
            )
            if stored is None or stored.status in CANNOT_BE_CANCELLED:
                return "unchanged"
            cancel_reservation(reservation_id=stored.id)
        return "cancelled"

    def _import_booking(self, booking: Booking) -> _Outcome:
        with transaction.atomic():
            nights = (booking.arrival, booking.departure)
            if booking.is_matched_by_dates:
                stored = self._finder.by_dates(booking.uid, nights)
            else:
                stored = self._finder.by_uid(booking.uid, nights) or self._finder.from_another_calendar(
                    booking.uid, nights
                )
            outcome: _Outcome
            if stored is None:
                stored, outcome = self._create(booking), "created"
            else:
                stored, outcome = self._update(stored, booking)
            conflict = None if self._source.room is None else self._assign_room(stored, self._source.room)
        self.result.uids.add(stored.calendar_uid)
        if conflict is not None:
            self.result.report.without_room.append(
                EventProblem(stored.calendar_uid, conflict, nights=(nights,))
            )
            self.result.unassigned.append(nights)
        return outcome

    def _create(self, booking: Booking) -> Reservation:
        return create_calendar_reservation(
            calendar_digest=self._source.digest,
            calendar_uid=booking.uid,
            numbers=uids.reservation_numbers(booking.uid, digest=self._source.digest),
            arrival=booking.arrival,
            departure=booking.departure,
            guest_name=booking.guest_name or booking.uid,
            guest_email=booking.guest_email,
            source=SOURCE,
            status=_status(booking),
        )

    def _update(self, stored: Reservation, booking: Booking) -> tuple[Reservation, _Outcome]:
        changes: dict[str, Any] = {"arrival": booking.arrival, "departure": booking.departure}
        status = _status(booking)
        # An inquiry that the hotel has confirmed stays booked, even if the channel still publishes it as tentative.
        is_confirmed_inquiry = booking.is_inquiry and stored.status == ReservationStatus.BOOKED
        changeable = {ReservationStatus.CANCELLED, *EXPECTED_STATUSES} - {status}
        if stored.status in changeable and not is_confirmed_inquiry:
            changes |= {"status": status, "status_date": None}
        is_equal = all(getattr(stored, name) == value for name, value in changes.items())
        if is_equal or stored.status in DATES_ARE_FINAL:
            return stored, "unchanged"
        if self._source.room is not None:
            self._exclude_from_closures(self._source.room, (booking.arrival, booking.departure))
        updated, _is_new = upsert_reservation(
            external_id=stored.external_id, may_change=_exists, **(_current_fields(stored) | changes)
        )
        return updated, "updated"

    def _assign_room(self, stored: Reservation, room: int) -> str | None:
        """Add a stay in the room, unless the reservation already has a stay or is cancelled.

        If the room is not available, return the reason. Otherwise return None.
        """
        if stored.stay_id is not None or stored.status in {ReservationStatus.CANCELLED, *DATES_ARE_FINAL}:
            return None
        nights = Nights(stored.arrival, stored.departure, limit=stored.nights)
        placement = NewStay(room, stored.arrival, stored.departure, reference=stored.external_id)
        with transaction.atomic():
            self._exclude_from_closures(room, (stored.arrival, stored.departure))
            if not add_stays([placement]).added:
                conflict = _conflict_message(clashes(rooms=[room], nights=nights))
                # The rollback also undoes the changes that the function `_exclude_from_closures` made to closures.
                transaction.set_rollback(True)
                return conflict
        Reservation.objects.filter(id=stored.id).update(stay=placement.id, updated_at=Now())
        return None

    def _exclude_from_closures(self, room: int, span: Span) -> None:
        """Reopen the nights of `span` that this calendar has closed, so that the booking can occupy these nights."""
        exclude_from_closures(
            room=room,
            span=span,
            reference=self._source.closure_reference,
            reason=self._source.closure_reason,
        )


def error_location(error: Exception) -> str:
    """Return the type and the location of an error for logs. The text is omitted, because it may contain names."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"


def _exists(version: str | None) -> bool:
    """Return whether a reservation is already stored. A reservation that is not stored has no version."""
    return version is not None


def _status(booking: Booking) -> ReservationStatus:
    return ReservationStatus.INQUIRY if booking.is_inquiry else ReservationStatus.BOOKED


def _reason(error: InvalidReservation) -> str:
    """Return the first validation message of the error.

    The name of the invalid field is omitted, because a calendar has a different name for the field.
    """
    first: list[str] = next(iter(error.extra["errors"].values()))
    return first[0]


def _conflict_message(conflicts: Sequence[Clash]) -> str:
    if not conflicts:
        return ""
    return TranslatableMessage(
        _("Room {room} is not available between {check_in} and {check_out}."),
        room=conflicts[0].number,
        check_in=conflicts[0].check_in.isoformat(),
        check_out=conflicts[-1].check_out.isoformat(),
    )


_KEPT_FIELDS = (
    "guest_name", "guest_email", "guest_phone", "language", "country", "adults", "children", "room_type", "source",
    "status", "booked_on", "status_date",
)  # fmt: skip


def _current_fields(reservation: Reservation) -> dict[str, Any]:
    return {name: getattr(reservation, name) for name in _KEPT_FIELDS}
