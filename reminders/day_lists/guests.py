"""The guests who arrive on a day, are in house, or leave.

Many hotels record no check-ins. So a guest whose arrival date has passed counts as in house until the departure date,
also if the reservation has the status "booked".
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import TextChoices
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from locks.database import fetch_rows
from reminders.models import ReservationStatus


class GuestList(TextChoices):
    ARRIVALS = "arrivals", gettext_lazy("Arrivals")
    IN_HOUSE = "in_house", gettext_lazy("In house")
    DEPARTURES = "departures", gettext_lazy("Departures")


#: The SQL condition of each list. A guest who has not checked out stays in the lists after the departure date.
_CONDITIONS = {
    GuestList.ARRIVALS: "arrival = %(day)s AND status IN ('booked', 'checked_in', 'checked_out')",
    GuestList.IN_HOUSE: """arrival <= %(day)s AND (status = 'checked_in'
        OR status = 'booked' AND arrival < %(day)s AND departure > %(day)s)""",
    GuestList.DEPARTURES: """departure = %(day)s AND status IN ('booked', 'checked_in', 'checked_out')
        OR departure < %(day)s AND status = 'checked_in'""",
}
#: The order of each list. The guests who need the front desk come first, beginning with guests without a room.
_ORDERS = {
    GuestList.ARRIVALS: "status <> 'booked', rooms.numbers IS NOT NULL, guest_name, external_id",
    GuestList.IN_HOUSE: "rooms.numbers IS NOT NULL, length(rooms.numbers[1]), rooms.numbers[1], guest_name",
    GuestList.DEPARTURES: "status = 'checked_out', rooms.numbers IS NOT NULL, length(rooms.numbers[1]),"
    " rooms.numbers[1], guest_name",
}

# A guest who has changed rooms has several stays, of which the query returns the stay on the night of the day.
# On the day of departure, the query returns the stay on the last night.
_GUESTS = """
SELECT reservation.id, external_id, guest_name, status, arrival, departure, adults, children,
    reservation.room_type AS booked_type, coalesce(rooms.numbers, '{{}}') AS rooms,
    coalesce(rooms.types, '{{}}') AS types
FROM reminders_reservation reservation
CROSS JOIN LATERAL (
    SELECT array_agg(room.number ORDER BY length(room.number), room.number) AS numbers,
        array_agg(DISTINCT room.room_type) AS types
    FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
    WHERE (stay.id = reservation.stay_id OR stay.group_id = reservation.id) AND stay.status = 'confirmed'
      AND stay.nights @> greatest(arrival, least(%(day)s::date, departure - 1))) AS rooms
WHERE {condition}
ORDER BY {order}
"""

_COUNTS = """
SELECT count(*) FILTER (WHERE {arrivals}) AS arrivals, count(*) FILTER (WHERE {in_house}) AS in_house,
    count(*) FILTER (WHERE {departures}) AS departures,
    count(*) FILTER (WHERE arrival = %(day)s AND status = 'booked') AS expected_arrivals,
    count(*) FILTER (WHERE ({departures}) AND status <> 'checked_out') AS expected_departures
FROM reminders_reservation
WHERE arrival <= %(day)s AND (departure >= %(day)s OR status = 'checked_in')
""".format(**{name.value: condition for name, condition in _CONDITIONS.items()})


@dataclass(frozen=True, slots=True)
class ListedGuest:
    """A reservation in one of the lists. `rooms` are the numbers of its rooms, and `types` are the types of the rooms.

    `is_done` says that the guest of an arrival has checked in, or that the guest of a departure has checked out.
    """

    id: uuid.UUID
    number: str
    name: str
    status: str
    arrival: date
    departure: date
    adults: int
    children: int
    booked_type: str
    rooms: list[str]
    types: list[str]
    is_done: bool
    notes: list[str]

    @property
    def nights(self) -> int:
        return (self.departure - self.arrival).days

    @property
    def status_label(self) -> str | Promise:
        return ReservationStatus(self.status).label

    @property
    def people(self) -> str:
        adults = ngettext("%(count)d adult", "%(count)d adults", self.adults) % {"count": self.adults}
        if not self.children:
            return adults
        children = ngettext("%(count)d child", "%(count)d children", self.children) % {"count": self.children}
        return f"{adults}, {children}"


@dataclass(frozen=True, slots=True)
class GuestCounts:
    """The number of guests in each list of a day.

    The expected arrivals and departures leave out guests who have already arrived or left.
    """

    arrivals: int
    in_house: int
    departures: int
    expected_arrivals: int
    expected_departures: int


def count_guests(*, day: date) -> GuestCounts:
    """Return the lengths of the lists of a day. Runs one query."""
    [row] = fetch_rows(_COUNTS, {"day": day})
    return GuestCounts(**row)


def list_guests(guest_list: GuestList, *, day: date) -> list[ListedGuest]:
    """Return all guests in the list of a day. Runs one query for any number of guests."""
    query = _GUESTS.format(condition=_CONDITIONS[guest_list], order=_ORDERS[guest_list])
    return [_listed(row, guest_list, day) for row in fetch_rows(query, {"day": day})]


def _listed(row: dict[str, Any], guest_list: GuestList, day: date) -> ListedGuest:
    done = {
        GuestList.ARRIVALS: row["status"] != "booked",
        GuestList.IN_HOUSE: False,
        GuestList.DEPARTURES: row["status"] == "checked_out",
    }
    return ListedGuest(
        number=row.pop("external_id"),
        name=row.pop("guest_name"),
        is_done=done[guest_list],
        notes=_notes(row, day),
        **row,
    )


def _notes(row: dict[str, Any], day: date) -> list[str]:
    """Return what the front desk should know about the reservation: a missing room, another room type, a late guest."""
    notes = []
    if row["status"] == "checked_in" and row["departure"] < day:
        text = _("The departure was planned for {date}.")
        notes.append(text.format(date=date_format(row["departure"])))
    if row["status"] == "booked" and row["arrival"] < day:
        notes.append(_("No check-in was recorded."))
    if not row["rooms"]:
        notes.append(_("No room is assigned."))
    if row["booked_type"] and row["booked_type"] not in row["types"]:
        notes.append(_("Booked: {room_type}").format(room_type=row["booked_type"]))
    return notes
