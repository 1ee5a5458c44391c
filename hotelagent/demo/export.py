"""Export of generated bookings to a CSV file with one row per booking, as property management systems export them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from hotelagent.demo.generator import Booking

COLUMNS = (
    "booking_id", "hotel", "booked_on", "check_in", "check_out", "reserved_room_type", "assigned_room_type", "adults",
    "children", "country", "market_segment", "status", "status_date", "guest_name", "guest_email", "language",
)  # fmt: skip


def export_rows(bookings: Iterable[Booking], *, today: date) -> Iterator[dict[str, str]]:
    """Yield a CSV row for each booking that was made on or before `today`, with its status on that day."""
    return (_row(booking, today=today) for booking in bookings if booking.booked_on <= today)


def write_csv(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _row(booking: Booking, *, today: date) -> dict[str, str]:
    status, status_date = _status(booking, today=today)
    return {
        "booking_id": booking.number,
        "hotel": booking.hotel,
        "booked_on": f"{booking.booked_on}",
        "check_in": f"{booking.arrival}",
        "check_out": f"{booking.departure}",
        "reserved_room_type": booking.reserved_room_type,
        "assigned_room_type": booking.assigned_room_type,
        "adults": f"{booking.adults}",
        "children": f"{booking.children}",
        "country": booking.country,
        "market_segment": booking.segment,
        "status": status,
        "status_date": f"{status_date or ''}",
        "guest_name": booking.guest_name,
        "guest_email": booking.guest_email,
        "language": booking.language,
    }


def _status(booking: Booking, *, today: date) -> tuple[str, date | None]:
    if booking.cancelled_on is not None and booking.cancelled_on <= today:
        return "Canceled", booking.cancelled_on
    if booking.is_no_show and booking.arrival < today:
        return "No-Show", booking.arrival
    if booking.departure < today:
        return "Check-Out", booking.departure
    if booking.arrival < today:
        return "In-House", booking.arrival
    return "Confirmed", None
