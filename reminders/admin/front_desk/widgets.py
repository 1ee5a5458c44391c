"""Parts of the front desk's forms: date fields, and the free rooms by type."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms

from locks.selectors import Availability, FreeRoom


@dataclass(frozen=True, slots=True)
class RoomGroup:
    """The rooms of one type: their number, and the free rooms."""

    room_type: str
    total: int
    free: list[FreeRoom]


def room_groups(found: Availability) -> list[RoomGroup]:
    """Return the rooms by type, in alphabetical order of the types."""
    return [
        RoomGroup(
            count.room_type, count.rooms, [room for room in found.free if room.room_type == count.room_type]
        )
        for count in found.types
    ]


def date_input() -> forms.DateInput:
    """Return a date field of the browser, which sends dates in the format YYYY-MM-DD in every language."""
    return forms.DateInput(attrs={"type": "date", "class": "fd-input"}, format="%Y-%m-%d")
