"""The room board: rooms down, nights across, and what has each room when. A few queries, whatever the size."""

# ruff: noqa: S608 - the statements are put together from constants; values are parameters

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from locks.board.guests import Guest, guests
from locks.holds import rows
from locks.models import AllocationStatus
from locks.owner import holder
from locks.sql import TAKES_ROOM


@dataclass(frozen=True, slots=True)
class Bar:
    """A stay as it is drawn: `first` is the column of its first night that is shown, from 1."""

    id: UUID
    group_id: UUID | None
    status: AllocationStatus
    check_in: datetime.date
    check_out: datetime.date
    first: int
    length: int
    began_before: bool
    goes_on: bool
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
        marks = {"before": self.began_before, "after": self.goes_on, "own": self.own, self.status: True}
        return " ".join(["hb-stay", *(f"hb-{name}" for name, is_so in marks.items() if is_so)])

    @property
    def attributes(self) -> SafeString:
        """What the page's script needs to know. Made here: a template takes five times as long for it."""
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
            "page": self.guest and self.guest.page,
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
class Board:
    """`rows` are those of the type and floor asked for; `types` and `floors` are all that there are."""

    days: list[datetime.date]
    rows: list[Row]
    types: list[str]
    floors: list[int]


_ROOMS = """
SELECT id, number, room_type, floor, capacity FROM locks_room
ORDER BY floor NULLS LAST, length(number), number
"""

_STAYS = f"""
SELECT stay.id, stay.group_id, stay.room_id, stay.status, lower(stay.nights) AS check_in,
    upper(stay.nights) AS check_out, stay.reference, stay.reason, stay.fencing_token, stay.extensions_left, stay.holder,
    CASE WHEN stay.status = 'held'
        THEN floor(extract(epoch FROM stay.expires_at - clock_timestamp()))::int END AS seconds_left
FROM locks_allocation stay
WHERE stay.nights && daterange(%(first)s, %(last)s) AND {TAKES_ROOM}
ORDER BY stay.room_id, check_in
"""


def board(
    *,
    first: datetime.date,
    nights: int,
    room_type: str = "",
    floor: int | None = None,
    with_guests: bool = False,
) -> Board:
    """What has each room in these nights; a room without a floor is on none that can be asked for.

    Names of guests are for who may read reservations.
    """
    rooms = rows(_ROOMS, {})
    last = first + datetime.timedelta(days=nights)
    me = holder()
    bars: dict[int, list[Bar]] = defaultdict(list)
    stays = rows(_STAYS, {"first": first, "last": last})
    known = guests([stay["id"] for stay in stays]) if with_guests else {}
    for stay in stays:
        bar = _bar(stay, first=first, last=last, me=me, guest=known.get(stay["id"]))
        bars[stay["room_id"]].append(bar)
    return Board(
        days=[first + datetime.timedelta(days=day) for day in range(nights)],
        rows=[
            Row(**room, bars=bars[room["id"]])
            for room in rooms
            if room_type in {"", room["room_type"]} and floor in {None, room["floor"]}
        ],
        types=sorted(_values(rooms, "room_type")),
        floors=sorted(_values(rooms, "floor")),
    )


def _bar(
    stay: Mapping[str, Any], *, first: datetime.date, last: datetime.date, me: str, guest: Guest | None
) -> Bar:
    begins, ends = max(stay["check_in"], first), min(stay["check_out"], last)
    return Bar(
        id=stay["id"],
        group_id=stay["group_id"],
        status=AllocationStatus(stay["status"]),
        check_in=stay["check_in"],
        check_out=stay["check_out"],
        first=(begins - first).days + 1,
        length=(ends - begins).days,
        began_before=stay["check_in"] < first,
        goes_on=stay["check_out"] > last,
        reference=stay["reference"],
        reason=stay["reason"],
        fencing_token=stay["fencing_token"],
        seconds_left=stay["seconds_left"],
        extensions_left=stay["extensions_left"],
        own=stay["holder"] == me,
        guest=guest,
    )


def _values(rooms: Iterable[Mapping[str, Any]], name: str) -> set[Any]:
    return {room[name] for room in rooms if room[name] is not None}
