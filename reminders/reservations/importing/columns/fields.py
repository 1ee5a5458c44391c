"""The fields of a booking, and the column names by which each field is recognized in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_SEPARATORS = re.compile(r"[\s_\-]+")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a booking. The field is read from the first of its `column_names` that the file's header contains.

    `label` is the name of the field in the admin, and `description` explains the field in the help of the command.
    """

    name: str
    label: str | Promise
    description: str
    column_names: tuple[str, ...]
    is_required: bool = False
    is_date: bool = False


FIELDS = {
    field.name: field
    for field in (
        Field("number", _("Booking number"), "number of the booking in the PMS, up to 64 characters",
              ("booking id", "external id", "reservation id", "confirmation", "number", "id"), is_required=True),
        Field("arrival", _("Arrival"), "date of arrival",
              ("check in", "arrival", "arrival date", "checkin"), is_required=True,
              is_date=True),
        Field("departure", _("Departure"), "date of departure, after the arrival",
              ("check out", "departure", "departure date", "checkout"),
              is_required=True, is_date=True),
        Field("adults", _("Adults"), "number of adults, at least 1; empty: 1 in a new reservation",
              ("adults", "guests", "pax")),
        Field("children", _("Children"), "number of children; empty: 0 in a new reservation",
              ("children",)),
        Field("hotel", _("Hotel"), "name of the hotel, in files with several hotels (--property)",
              ("hotel", "property")),
        Field("booked_on", _("Booked on"), "date on which the booking was made",
              ("booked on", "booking date", "created"), is_date=True),
        Field("room_type", _("Room type booked"), "room type that was booked, up to 40 characters",
              ("reserved room type", "room type")),
        Field("assigned_room_type", _("Room type assigned"), "room type that the hotel assigned; empty: the booked one",
              ("assigned room type", "room type")),
        Field("rooms", _("Number of rooms"), "number of rooms of the booking, from 1 to 100; empty: 1",
              ("rooms", "no of rooms", "number of rooms")),
        Field("room", _("Rooms"), "names of the rooms, separated by commas",
              ("room", "room number")),
        Field("country", _("Country"), "name of a country, or ISO 3166 code of two or three letters",
              ("country", "nationality")),
        Field("source", _("Source"), "channel or market segment, up to 40 characters",
              ("market segment", "source", "channel")),
        Field("status", _("Status"), "one of the statuses below, or a word of --status; empty: booked",
              ("status", "reservation status")),
        Field("status_date", _("Status since"), "date from which the status holds",
              ("status date", "reservation status date"), is_date=True),
        Field("guest_name", _("Guest"), "full name; --map guest_name=First+Last joins two columns",
              ("guest name", "guest", "name")),
        Field("guest_email", _("E-mail"), "without an address, the guest receives no reminders",
              ("guest email", "email", "e mail")),
        Field("guest_phone", _("Phone"), "phone number, up to 20 characters",
              ("guest phone", "phone")),
        Field("language", _("Language"), "language code, such as es or pt-br; empty: the hotel's language",
              ("language", "lang")),
    )
}  # fmt: skip
REQUIRED_FIELDS = tuple(field.name for field in FIELDS.values() if field.is_required)
DATE_FIELDS = tuple(field.name for field in FIELDS.values() if field.is_date)


def normalize_name(column: str) -> str:
    """Return the column name in a form that can be compared: `Check-In` and `check_in` give the same result."""
    return _SEPARATORS.sub(" ", column.strip().strip("*").casefold()).strip()


#: All column names that are recognized without a profile.
KNOWN_NAMES = frozenset(name for field in FIELDS.values() for name in field.column_names)
