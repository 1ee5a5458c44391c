"""Comparison of imported bookings with stored reservations.

A value in the file replaces the stored value, even if staff changed the stored value. An empty cell, or a column that
the file does not have, leaves the stored value as it is. An empty cell for the status means "booked".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection

from reminders.models import Reservation
from reminders.reservations.changes import COLUMNS
from reminders.reservations.importing.booking import Booking

#: The values of a reservation by field name. A value is None if the file does not contain it.
FieldValues = dict[str, Any]

# This statement compares thousands of bookings with the stored reservations, and returns only changed reservations.
_FIND_CHANGED = f"""
SELECT r.external_id
FROM json_to_recordset(%s) AS new (external_id text, {", ".join(f"{n} {type_}" for n, type_ in COLUMNS.items())})
JOIN reminders_reservation r USING (external_id)
WHERE ({", ".join(f"r.{name}" for name in COLUMNS)})
    IS DISTINCT FROM ({", ".join(f"coalesce(new.{name}, r.{name})" for name in COLUMNS)})
"""  # noqa: S608 - only the constant column names above are inserted into the text


def field_values(booking: Booking) -> FieldValues:
    """Return the booking's values by reservation field. Values that the file does not contain are None."""
    return {
        "external_id": booking.number,
        "status": booking.status,
        "arrival": booking.arrival,
        "departure": booking.departure,
        "guest_name": booking.guest_name or None,
        "guest_email": booking.guest_email or None,
        "guest_phone": booking.guest_phone or None,
        "language": booking.language or None,
        "country": booking.country or None,
        "adults": booking.adults,
        "children": booking.children,
        "room_type": booking.room_type or None,
        "assigned_room_type": booking.assigned_room_type or None,
        "additional_room_types": list(booking.room_types[1:]) if booking.has_all_rooms else None,
        "source": booking.source or None,
        "booked_on": booking.booked_on,
        "status_date": booking.status_date,
    }


def find_changed(rows: Collection[FieldValues]) -> set[str]:
    """Return the booking numbers of the stored reservations that differ from the values in `rows`."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND_CHANGED, [json.dumps(list(rows), default=str)])
        return {number for (number,) in cursor.fetchall()}


def changed_fields(reservation: Reservation, values: Mapping[str, Any]) -> FieldValues:
    """Return the new values of the fields that differ from the reservation.

    If the status has changed and `values` has no `status_date`, the returned `status_date` is None. The stored date is
    not kept, because it belongs to the old status.
    """
    changed = {
        name: values[name]
        for name in COLUMNS
        if values[name] is not None and values[name] != getattr(reservation, name)
    }
    if "status" in changed and values["status_date"] is None and reservation.status_date is not None:
        changed["status_date"] = None
    return changed
