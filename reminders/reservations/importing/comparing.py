"""What a file says of a booking, against what is stored of it.

The hotel's own system is the source: what the file says holds, whoever changed it here meanwhile. A column that the
file does not have and a cell that is empty say nothing, and then what is stored stays: an address that the front desk
found out, a guest that was invented. An empty status is "booked", and the day of a status goes with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from django.db import connection

from reminders.models import Reservation, ReservationStatus
from reminders.reservations.changes import COLUMNS
from reminders.reservations.importing.parsing import Booking

Said = dict[str, Any]

# One statement for thousands of rows: those that are as the file says cost a probe of the unique index each.
_DIFFERS = f"""
SELECT r.external_id
FROM json_to_recordset(%s) AS new (external_id text, {", ".join(f"{n} {type_}" for n, type_ in COLUMNS.items())})
JOIN reminders_reservation r USING (external_id)
WHERE ({", ".join(f"r.{name}" for name in COLUMNS)})
    IS DISTINCT FROM ({", ".join(f"coalesce(new.{name}, r.{name})" for name in COLUMNS)})
"""  # noqa: S608 - put together from the names above; values are a parameter


def said(booking: Booking, *, today: date) -> Said:
    """Each field's value; None where the file says nothing of it."""
    return {
        "external_id": booking.number,
        "status": status_of(booking, today=today) if booking.status else None,
        "arrival": booking.arrival,
        "departure": booking.departure,
        "guest_name": booking.guest_name or None,
        "guest_email": booking.guest_email or None,
        "guest_phone": booking.guest_phone or None,
        "language": booking.language or None,
        "country": booking.country or None,
        "adults": booking.adults,
        "children": booking.children,
        "room_type": booking.booked_type or None,
        "assigned_room_type": booking.given_type or None,
        "source": booking.source or None,
        "booked_on": booking.booked_on,
        "status_date": booking.status_date,
    }


def status_of(booking: Booking, *, today: date) -> str:
    """A stay that was moved into the future has not ended, and its guest may still come: today's too."""
    status = booking.status or ReservationStatus.BOOKED
    is_over = (booking.status_date or booking.departure) < today
    if status in {ReservationStatus.CHECKED_OUT, ReservationStatus.NO_SHOW} and not is_over:
        return ReservationStatus.BOOKED
    return status


def differing(rows: Collection[Said]) -> set[str]:
    """The numbers of those that are stored otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERS, [json.dumps(list(rows), default=str)])
        return {number for (number,) in cursor.fetchall()}


def changes(stored: Reservation, row: Mapping[str, Any]) -> Said:
    """The fields to change, by name."""
    changed = {
        name: row[name] for name in COLUMNS if row[name] is not None and row[name] != getattr(stored, name)
    }
    if "status" in changed and row["status_date"] is None and stored.status_date is not None:
        changed["status_date"] = None
    return changed
