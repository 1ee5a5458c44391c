"""Which column of a file holds what: found by name, or given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reminders.errors import InvalidFile

#: What a booking has, and the names under which files have it. The first four must be there.
KNOWN = {
    "number": ("booking_id", "external_id", "reservation_id", "confirmation", "number", "id"),
    "arrival": ("check_in", "arrival", "arrival_date", "checkin"),
    "departure": ("check_out", "departure", "departure_date", "checkout"),
    "adults": ("adults", "guests", "pax"),
    "children": ("children",),
    "hotel": ("hotel", "property"),
    "booked_on": ("booked_on", "booking_date", "created"),
    "booked_type": ("reserved_room_type", "room_type"),
    "given_type": ("assigned_room_type", "room_type"),
    "country": ("country", "nationality"),
    "source": ("market_segment", "source", "channel"),
    "status": ("status", "reservation_status"),
    "status_date": ("status_date", "reservation_status_date"),
    "guest_name": ("guest_name", "guest", "name"),
    "guest_email": ("guest_email", "email", "e-mail"),
    "guest_phone": ("guest_phone", "phone"),
    "language": ("language", "lang"),
}
REQUIRED = ("number", "arrival", "departure", "adults")


def find(header: Sequence[str], *, given: Mapping[str, str]) -> dict[str, int]:
    """Field -> the column's place. `given` maps fields to column names. Raises InvalidFile."""
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    if unknown := sorted(given.keys() - KNOWN.keys()):
        raise InvalidFile(f"There is no field {', '.join(unknown)}. Fields: {', '.join(KNOWN)}.")
    if absent := sorted(name for name in given.values() if name.strip().lower() not in places):
        raise InvalidFile(f"The file has no column {', '.join(absent)}. It has: {', '.join(header)}.")
    found = {}
    for field, names in KNOWN.items():
        candidates = (given[field].strip().lower(),) if field in given else names
        place = next((places[name] for name in candidates if name in places), None)
        if place is not None:
            found[field] = place
    if missing := [field for field in REQUIRED if field not in found]:
        raise InvalidFile(
            f"No column for {', '.join(missing)}. The file has: {', '.join(header)}. "
            f"Say which it is: --map {missing[0]}=<column>."
        )
    return found
