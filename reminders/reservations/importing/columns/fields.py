"""The fields of a booking, and the column names by which each field is recognised in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_SEPARATORS = re.compile(r"[\s_\-]+")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a booking. The field is read from the first of its `column_names` that the file's header contains."""

    name: str
    label: str | Promise
    column_names: tuple[str, ...]
    is_required: bool = False
    is_date: bool = False


FIELDS = {
    field.name: field
    for field in (
        Field("number", _("Booking number"),
              ("booking id", "external id", "reservation id", "confirmation", "number", "id"), is_required=True),
        Field("arrival", _("Arrival"), ("check in", "arrival", "arrival date", "checkin"), is_required=True,
              is_date=True),
        Field("departure", _("Departure"), ("check out", "departure", "departure date", "checkout"),
              is_required=True, is_date=True),
        Field("adults", _("Adults"), ("adults", "guests", "pax")),
        Field("children", _("Children"), ("children",)),
        Field("hotel", _("Hotel"), ("hotel", "property")),
        Field("booked_on", _("Booked on"), ("booked on", "booking date", "created"), is_date=True),
        Field("room_type", _("Room type booked"), ("reserved room type", "room type")),
        Field("assigned_room_type", _("Room type assigned"), ("assigned room type", "room type")),
        Field("rooms", _("Number of rooms"), ("rooms", "no of rooms", "number of rooms")),
        Field("room", _("Rooms"), ("room", "room number")),
        Field("country", _("Country"), ("country", "nationality")),
        Field("source", _("Source"), ("market segment", "source", "channel")),
        Field("status", _("Status"), ("status", "reservation status")),
        Field("status_date", _("Status since"), ("status date", "reservation status date"), is_date=True),
        Field("guest_name", _("Guest"), ("guest name", "guest", "name")),
        Field("guest_email", _("E-mail"), ("guest email", "email", "e mail")),
        Field("guest_phone", _("Phone"), ("guest phone", "phone")),
        Field("language", _("Language"), ("language", "lang")),
    )
}  # fmt: skip
REQUIRED_FIELDS = tuple(field.name for field in FIELDS.values() if field.is_required)
DATE_FIELDS = tuple(field.name for field in FIELDS.values() if field.is_date)


def normalize_name(column: str) -> str:
    """Return the column name in a form that can be compared: `Check-In` and `check_in` give the same result."""
    return _SEPARATORS.sub(" ", column.strip().strip("*").casefold()).strip()


#: All column names that are recognised without a profile.
KNOWN_NAMES = frozenset(name for field in FIELDS.values() for name in field.column_names)
