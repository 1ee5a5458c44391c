"""The plan of a building with regular room numbers, such as 101 to 110 on the first floor and 201 to 210 above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_uppercase

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from locks.allocations.rooms import NewRoom
from locks.errors import InvalidRoomPlan

#: The maximum number of rooms that can be generated at a time. The largest hotels have about 7,000 rooms.
MAX_ROOMS = 2_000


class NumberPattern(models.TextChoices):
    """How the number of a room is formed from its floor and its position on the floor."""

    TWO_DIGITS = "two_digits", gettext_lazy("Floor and two digits: 101, 102, 201")
    THREE_DIGITS = "three_digits", gettext_lazy("Floor and three digits: 1001, 1002, 2001")
    ONE_DIGIT = "one_digit", gettext_lazy("Floor and one digit: 11, 12, 21")
    HYPHEN = "hyphen", gettext_lazy("Floor, hyphen and number: 1-1, 1-2, 2-1")
    LETTER = "letter", gettext_lazy("Floor and letter: 1A, 1B, 2A")
    RUNNING = "running", gettext_lazy("Consecutive numbers: 1, 2, 3")


#: The maximum number of rooms per floor. With more rooms, two rooms of different floors could get the same number.
_MAX_PER_FLOOR = {
    NumberPattern.ONE_DIGIT: 9,
    NumberPattern.TWO_DIGITS: 99,
    NumberPattern.THREE_DIGITS: 999,
    NumberPattern.LETTER: len(ascii_uppercase),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPlan:
    """The floors of a building, the number of rooms on each floor, and the values that all of these rooms share.

    Rooms whose number is in `skipped` do not exist. `prefix` is written before each number.
    """

    first_floor: int
    last_floor: int
    rooms_per_floor: int
    pattern: NumberPattern
    room_type: str
    capacity: int = 2
    prefix: str = ""
    skipped: frozenset[str] = frozenset()

    def rooms(self) -> list[NewRoom]:
        """Return the rooms of the plan, ordered by floor. Raises InvalidRoomPlan."""
        self._validate()
        return [
            NewRoom(number=number, room_type=self.room_type, floor=floor, capacity=self.capacity)
            for floor, number in self._numbers()
            if number not in self.skipped
        ]

    def _validate(self) -> None:
        floors = self.last_floor - self.first_floor + 1
        if floors < 1:
            raise InvalidRoomPlan(_("The last floor must not be below the first floor."))
        if floors * self.rooms_per_floor > MAX_ROOMS:
            raise InvalidRoomPlan(
                _("At most {limit} rooms can be generated at a time.").format(limit=MAX_ROOMS)
            )
        limit = _MAX_PER_FLOOR.get(self.pattern, MAX_ROOMS)
        if self.rooms_per_floor > limit:
            raise InvalidRoomPlan(
                _(
                    "This number pattern allows at most {limit} rooms per floor. Choose another pattern."
                ).format(limit=limit)
            )

    def _numbers(self) -> Iterator[tuple[int, str]]:
        for floor in range(self.first_floor, self.last_floor + 1):
            for position in range(1, self.rooms_per_floor + 1):
                before = (floor - self.first_floor) * self.rooms_per_floor
                yield floor, f"{self.prefix}{_number(self.pattern, floor, position, before)}"


def _number(pattern: NumberPattern, floor: int, position: int, before: int) -> str:
    """Return the number of a room without the prefix. `before` is the number of rooms on the floors below."""
    match pattern:
        case NumberPattern.ONE_DIGIT:
            return f"{floor}{position}"
        case NumberPattern.TWO_DIGITS:
            return f"{floor}{position:02}"
        case NumberPattern.THREE_DIGITS:
            return f"{floor}{position:03}"
        case NumberPattern.HYPHEN:
            return f"{floor}-{position}"
        case NumberPattern.LETTER:
            return f"{floor}{ascii_uppercase[position - 1]}"
        case NumberPattern.RUNNING:
            return str(before + position)
