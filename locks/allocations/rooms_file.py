"""A reader of files of rooms. The reader finds the column of each field, and separates valid rows from invalid rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.text import single_line
from locks.allocations.rooms import NewRoom

#: The recognized column names of each field, in lower case. The first of these names that the file contains is used.
COLUMN_NAMES = {
    "number": ("number", "room_number", "room number", "room no", "room_no", "room"),
    "type": ("type", "room_type", "room type", "category"),
    "floor": ("floor", "level"),
    "capacity": ("capacity", "max_guests", "max guests", "sleeps", "beds"),
}
REQUIRED_FIELDS = ("number", "type")
_DEFAULT_CAPACITY = 2
_MAX_SMALLINT = 32_767
#: The maximum lengths of room numbers and room types in characters. The columns of `Room` have the same limits.
_MAX_NUMBER_LENGTH = 20
_MAX_TYPE_LENGTH = 40


@dataclass(frozen=True, slots=True)
class RejectedRoom:
    """A row of the file that can't be imported, with the reason."""

    line: int
    number: str
    reason: TranslatableMessage


def detect_columns(header: Sequence[str]) -> dict[str, int]:
    """Return the column index of each field for which the file has a column. Column names are case-insensitive."""
    indexes = {name.strip().lower(): index for index, name in reversed(list(enumerate(header)))}
    found = {
        field: next((indexes[name] for name in names if name in indexes), None)
        for field, names in COLUMN_NAMES.items()
    }
    return {field: index for field, index in found.items() if index is not None}


def read_rooms(
    rows: Iterable[tuple[int, Sequence[str]]], *, columns: Mapping[str, int], width: int
) -> tuple[list[NewRoom], list[RejectedRoom]]:
    """Return the valid rooms and the rejected rows.

    `rows` are pairs of line number and cells. `columns` maps fields to column indexes, and `width` is the number of
    columns. Only the first row of each room number is valid.
    """
    rooms: dict[str, NewRoom] = {}
    rejected = []
    for line, row in rows:
        values = {
            field: single_line(row[index]) if index < len(row) else "" for field, index in columns.items()
        }
        try:
            room = _room(values, surplus=row[width:])
        except _InvalidRowError as error:
            rejected.append(RejectedRoom(line, values.get("number", ""), error.reason))
            continue
        if room.number in rooms:
            reason = TranslatableMessage(gettext_noop("Another row has the same room number."))
            rejected.append(RejectedRoom(line, room.number, reason))
        else:
            rooms[room.number] = room
    return list(rooms.values()), rejected


class _InvalidRowError(ValueError):
    def __init__(self, msgid: str, **params: object) -> None:
        self.reason = TranslatableMessage(msgid, **params)
        super().__init__(self.reason)


def _room(values: Mapping[str, str], *, surplus: Sequence[str]) -> NewRoom:
    if any(cell.strip() for cell in surplus):
        raise _InvalidRowError(gettext_noop("The row has more values than the file has columns."))
    number, room_type = values.get("number", ""), values.get("type", "")
    if not number:
        raise _InvalidRowError(gettext_noop("The room number is missing."))
    if not room_type:
        raise _InvalidRowError(gettext_noop("The room type is missing."))
    for text, limit in ((number, _MAX_NUMBER_LENGTH), (room_type, _MAX_TYPE_LENGTH)):
        if len(text) > limit:
            message = gettext_noop("“{text}” is too long (limit: {limit} characters).")
            raise _InvalidRowError(message, text=text, limit=limit)
    floor, capacity = _integer(values.get("floor", "")), _integer(values.get("capacity", ""))
    if capacity is None:
        capacity = _DEFAULT_CAPACITY
    if capacity < 1:
        raise _InvalidRowError(gettext_noop("The capacity must be at least 1."))
    return NewRoom(number=number, room_type=room_type, floor=floor, capacity=capacity)


def _integer(text: str) -> int | None:
    """Return the value of a cell as an integer, or None for an empty cell. Spreadsheets write `2.0` for 2."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not number.is_integer() or abs(number) > _MAX_SMALLINT:
        raise _InvalidRowError(gettext_noop("“{text}” is not a whole number."), text=text)
    return int(number)
