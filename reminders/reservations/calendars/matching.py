"""Queries that find the reservation to which a calendar event belongs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.db.models import QuerySet

from locks.allocations.occupancy import Span
from reminders.models import LinkedCalendar, Reservation, ReservationStatus
from reminders.reservations.calendars import uids

#: A reservation that is no longer in its calendar is cancelled only if the reservation has one of these statuses.
EXPECTED_STATUSES = (ReservationStatus.BOOKED, ReservationStatus.INQUIRY)
CANNOT_BE_CANCELLED = (
    ReservationStatus.CANCELLED,
    ReservationStatus.CHECKED_IN,
    ReservationStatus.CHECKED_OUT,
)
#: If a guest checked out early or did not arrive, the channel's calendar still contains the booked dates.
#: The import ignores the dates of such a booking and assigns no room, because the hotel may have sold the nights again.
DATES_ARE_FINAL = (ReservationStatus.CHECKED_OUT, ReservationStatus.NO_SHOW)


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """The calendar from which events are imported.

    `digest` identifies the calendar. `room` is the room that the bookings get, or None for an imported file.
    `closure_reference` and `closure_reason` identify the closures that were imported from the calendar.
    """

    digest: bytes
    room: int | None = None
    closure_reference: str = ""
    closure_reason: str = ""


class ReservationFinder:
    """The stored reservations of one calendar.

    `own_uids` contains the UIDs that occur only once in the calendar. Each method locks the returned reservation, so
    call the methods in a transaction.
    """

    def __init__(self, source: CalendarSource, *, own_uids: Collection[str]) -> None:
        self._source = source
        self._own_uids = own_uids

    def by_uid(self, uid: str, nights: Span | None = None) -> Reservation | None:
        """Return the reservation of this calendar for the event with this UID, or None.

        An earlier import may have stored the UID that `dates_uid()` computes from `uid` and the nights. In this case,
        the reservation gets the UID of the event.
        """
        id_ = self._stored_ids.get(uid)
        if id_ is None and nights is not None:
            id_ = self._stored_ids.get(uids.dates_uid(uid, nights))
        stored = self._own_reservations().filter(id=id_).first() if id_ else None
        if stored is not None and nights is not None and stored.calendar_uid != uid:
            stored.calendar_uid = uid
            Reservation.objects.filter(id=stored.id).update(calendar_uid=uid)
        return stored

    def by_dates(self, uid: str, nights: Span) -> Reservation | None:
        """Return the reservation of this calendar for exactly these nights.

        If there is none, return the reservation with this UID, or None. The search by nights omits reservations whose
        UID is in `own_uids`, because these reservations belong to other events.
        """
        on_these_nights = self._own_reservations().filter(
            arrival=nights[0], departure=nights[1], status__in=EXPECTED_STATUSES
        )
        return on_these_nights.exclude(calendar_uid__in=self._own_uids).first() or self.by_uid(uid)

    def from_another_calendar(self, uid: str, nights: Span) -> Reservation | None:
        """Return the reservation with this UID that was imported from an earlier URL of the calendar, or None.

        If a channel changes the URL of a calendar, its events keep their UIDs. The reservations of the old URL then
        belong to the calendar with the new URL. For an event from a file, the nights must be equal too.
        """
        reservations = Reservation.objects.select_for_update(of=("self",))
        if self._source.digest == uids.FILE_DIGEST:
            return reservations.filter(
                calendar_uid=uid, calendar_digest__isnull=False, arrival=nights[0], departure=nights[1]
            ).first()
        id_ = self._ids_of_unlinked.get(uid)
        stored = None if id_ is None else reservations.filter(id=id_).first()
        if stored is not None:
            stored.calendar_digest = self._source.digest
            Reservation.objects.filter(id=stored.id).update(calendar_digest=self._source.digest)
        return stored

    @cached_property
    def _stored_ids(self) -> dict[str, UUID]:
        """Return a dict from UIDs to the ids of the reservations that this calendar had when the import began."""
        reservations = Reservation.objects.filter(calendar_digest=self._source.digest)
        return dict(reservations.values_list("calendar_uid", "id"))

    @cached_property
    def _ids_of_unlinked(self) -> dict[str, UUID]:
        """The ids of this room's reservations from calendars that are no longer linked, as a dict from UID to id."""
        if self._source.room is None:
            return {}
        reservations = (
            Reservation.objects.filter(stay__room=self._source.room, calendar_digest__isnull=False)
            .exclude(calendar_digest=uids.FILE_DIGEST)
            .exclude(calendar_digest__in=LinkedCalendar.objects.values("url_digest"))
        )
        return dict(reservations.values_list("calendar_uid", "id"))

    def _own_reservations(self) -> QuerySet[Reservation]:
        return Reservation.objects.select_for_update(of=("self",)).filter(calendar_digest=self._source.digest)
