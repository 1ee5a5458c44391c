"""Assignment of the columns of a file to booking fields, by the names of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reminders.errors import InvalidFile

#: The recognised column names of each booking field, in lower case. The first name that the file has is used.
COLUMN_NAMES = {
    "number": ("booking_id", "external_id", "reservation_id", "confirmation", "number", "id"),
    "arrival": ("check_in", "arrival", "arrival_date", "checkin"),
    "departure": ("check_out", "departure", "departure_date", "checkout"),
    "adults": ("adults", "guests", "pax"),
    "children": ("children",),
    "hotel": ("hotel", "property"),
    "booked_on": ("booked_on", "booking_date", "created"),
    "room_type": ("reserved_room_type", "room_type"),
    "assigned_room_type": ("assigned_room_type", "room_type"),
    "country": ("country", "nationality"),
    "source": ("market_segment", "source", "channel"),
    "status": ("status", "reservation_status"),
    "status_date": ("status_date", "reservation_status_date"),
    "guest_name": ("guest_name", "guest", "name"),
    "guest_email": ("guest_email", "email", "e-mail"),
    "guest_phone": ("guest_phone", "phone"),
    "language": ("language", "lang"),
}
REQUIRED_FIELDS = ("number", "arrival", "departure", "adults")


def map_columns(header: Sequence[str], *, overrides: Mapping[str, str]) -> dict[str, int]:
    """Return the column index of each booking field for which the file has a column.

    `overrides` maps fields to column names and takes precedence over `COLUMN_NAMES`. Upper and lower case are
    treated alike. Raises InvalidFile for an unknown field or column, and if a required field has no column.
    """
    indexes = {name.strip().lower(): index for index, name in enumerate(header)}
    if unknown := sorted(overrides.keys() - COLUMN_NAMES.keys()):
        raise InvalidFile(f"Unknown field: {', '.join(unknown)}. The fields are: {', '.join(COLUMN_NAMES)}.")
    if absent := sorted(name for name in overrides.values() if name.strip().lower() not in indexes):
        raise InvalidFile(
            f"The file has no column named {', '.join(absent)}. Its columns are: {', '.join(header)}."
        )
    columns = {}
    for field, names in COLUMN_NAMES.items():
        candidates = (overrides[field].strip().lower(),) if field in overrides else names
        index = next((indexes[name] for name in candidates if name in indexes), None)
        if index is not None:
            columns[field] = index
    if missing := [field for field in REQUIRED_FIELDS if field not in columns]:
        raise InvalidFile(
            f"The file has no recognised column for: {', '.join(missing)}. Its columns are: {', '.join(header)}. "
            f"Name the column with --map {missing[0]}=COLUMN."
        )
    return columns
