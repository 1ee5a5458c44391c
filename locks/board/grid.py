"""The grid of the room board: a row for each room, a column for each night, a bar for each allocation.

The number of queries does not depend on the number of rooms and nights.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from locks.board.guest_names import Guest, guests_of
from locks.database import fetch_rows
from locks.models import AllocationStatus
from locks.owner import holder


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of an allocation on the room board. `first` is the column of its first visible night, counted from 1."""

    id: UUID
    group_id: UUID | None
    status: AllocationStatus
    check_in: datetime.date
    check_out: datetime.date
    first: int
    length: int
    starts_before: bool
    ends_after: bool
    reference: str
    reason: str
    fencing_token: int | None
    seconds_left: int | None
    extensions_left: int
    own: bool
    guest: Guest | None

    @property
    def label(self) -> str:
        return self.guest.name if self.guest else self.reference or self.reason

    @property
    def classes(self) -> str:
        flags = {
            "before": self.starts_before,
            "after": self.ends_after,
            "own": self.own and self.status is AllocationStatus.HELD,
            "in-house": self.guest is not None and self.guest.is_in_house,
            self.status: True,
        }
        return " ".join(["hb-stay", *(f"hb-{name}" for name, is_set in flags.items() if is_set)])

    @property
    def attributes(self) -> SafeString:
        """The HTML data attributes for board.js.

        Formatting the attributes in a template would take five times as long.
        """
        values = {
            "id": self.id,
            "status": self.status.value,
            "in": self.check_in.isoformat(),
            "out": self.check_out.isoformat(),
            "own": "1" if self.own else "",
            "extensions": self.extensions_left,
            "reference": self.reference,
            "reason": self.reason,
            "fencing_token": self.fencing_token,
            "left": self.seconds_left,
            "guest": self.guest and self.guest.name,
            "panel": self.guest and self.guest.panel_url,
        }
        return format_html_join(
            " ", 'data-{}="{}"', ((name, value) for name, value in values.items() if value is not None)
        )


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    number: str
    room_type: str
    floor: int | None
    capacity: int
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Grid:
    """The nights and rooms that the board shows.

    `rows` contains the rooms of the requested type and floor. `types` and `floors` list the types and floors of all
    rooms.
    """

    days: list[datetime.date]
    rows: list[Row]
    types: list[str]
    floors: list[int]


_ROOMS = """
SELECT id, number, room_type, floor, capacity FROM locks_room
ORDER BY floor NULLS LAST, length(number), number
"""

_ALLOCATIONS = """
SELECT stay.id, stay.group_id, stay.room_id, stay.status, lower(stay.nights) AS check_in,
    upper(stay.nights) AS check_out, stay.reference, stay.reason, stay.fencing_token, stay.extensions_left, stay.holder,
    CASE WHEN stay.status = 'held'
        THEN floor(extract(epoch FROM stay.expires_at - clock_timestamp()))::int END AS seconds_left
FROM locks_allocation stay
WHERE stay.nights && daterange(%(first)s, %(last)s)
  AND locks_occupies_at(stay.status, stay.expires_at, clock_timestamp())
ORDER BY stay.room_id, check_in
"""


def read_grid(
    *,
    first: datetime.date,
    nights: int,
    room_type: str = "",
    floor: int | None = None,
    with_guests: bool = False,
) -> Grid:
    """Return the allocations of each room for `nights` nights, starting with the night of `first`.

    An empty `room_type` selects all types, and `floor=None` selects all floors.
    """
    rooms = fetch_rows(_ROOMS, {})
    last = first + datetime.timedelta(days=nights)
    own_holder = holder()
    bars: dict[int, list[Bar]] = defaultdict(list)
    allocations = fetch_rows(_ALLOCATIONS, {"first": first, "last": last})
    guests = guests_of([row["id"] for row in allocations]) if with_guests else {}
    for row in allocations:
        bars[row["room_id"]].append(
            _bar(row, first=first, last=last, own_holder=own_holder, guest=guests.get(row["id"]))
        )
    return Grid(
        days=[first + datetime.timedelta(days=day) for day in range(nights)],
        rows=[
            Row(**room, bars=bars[room["id"]])
            for room in rooms
            if room_type in {"", room["room_type"]} and floor in {None, room["floor"]}
        ],
        types=sorted(_distinct(rooms, "room_type")),
        floors=sorted(_distinct(rooms, "floor")),
    )


def _bar(
    row: Mapping[str, Any],
    *,
    first: datetime.date,
    last: datetime.date,
    own_holder: str,
    guest: Guest | None,
) -> Bar:
    visible_start, visible_end = max(row["check_in"], first), min(row["check_out"], last)
    return Bar(
        id=row["id"],
        group_id=row["group_id"],
        status=AllocationStatus(row["status"]),
        check_in=row["check_in"],
        check_out=row["check_out"],
        first=(visible_start - first).days + 1,
        length=(visible_end - visible_start).days,
        starts_before=row["check_in"] < first,
        ends_after=row["check_out"] > last,
        reference=row["reference"],
        reason=row["reason"],
        fencing_token=row["fencing_token"],
        seconds_left=row["seconds_left"],
        extensions_left=row["extensions_left"],
        own=row["holder"] == own_holder,
        guest=guest,
    )


def _distinct(rooms: Iterable[Mapping[str, Any]], name: str) -> set[Any]:
    return {room[name] for room in rooms if room[name] is not None}
