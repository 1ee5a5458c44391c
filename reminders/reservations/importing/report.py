"""The result of an import: the counts of rows, stays and reminders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from reminders.planning.planner import PlanningResult
from reminders.reservations.importing.storing import BatchResult
from reminders.reservations.importing.values.dates import DateOrder


@dataclass(slots=True)
class ImportReport:
    """The counts of one import.

    `rows` is the total number of created, updated, unchanged, joined and rejected rows. A joined row is a further row
    of a booking with several rows. If the file contains several hotels, only the rows of the chosen hotel are counted.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    joined: int = 0  # Rows that were merged into an earlier row of the same booking.
    rejected: Counter[str] = field(default_factory=Counter)  # the number of rows for each reason
    left_out: Counter[str] = field(default_factory=Counter)  # the number of ignored cells for each reason
    unknown_statuses: Counter[str] = field(default_factory=Counter)  # the rows for each unknown word
    created_by_status: Counter[str] = field(default_factory=Counter)
    stays: int = 0
    stays_in_another_room: int = 0  # stays whose chosen room was occupied
    stays_moved: int = 0
    stays_cancelled: int = 0
    rooms: int = 0  # the number of rooms that the stays of the file need
    rooms_created: int = 0
    reminders: PlanningResult = field(default_factory=PlanningResult)
    first_arrival: date | None = None
    last_arrival: date | None = None
    seconds: float = 0.0
    #: The order of day and month by field, for fields whose dates are ambiguous, such as 03/04/2026.
    date_orders: dict[str, DateOrder] = field(default_factory=dict)
    #: The number of rows in all stored batches. If an import is interrupted, it continues after these rows.
    stored_rows: int = 0

    @property
    def has_bookings(self) -> bool:
        """Return whether at least one booking of the file is stored in the hotel."""
        return bool(self.created or self.updated or self.unchanged)

    @property
    def has_changes(self) -> bool:
        return bool(self.created or self.updated)

    def add(self, batch: BatchResult) -> None:
        self.created += batch.created
        self.updated += batch.updated
        self.unchanged += batch.unchanged
        for arranged in batch.arranged:
            self.stays += len(arranged.added)
            self.stays_in_another_room += arranged.added_elsewhere
            self.stays_moved += arranged.moved
            self.stays_cancelled += arranged.cancelled
        self.reminders += batch.reminders
        self.created_by_status.update(reservation.status for reservation in batch.reservations)
        arrivals = [reservation.arrival for reservation in batch.reservations]
        self.first_arrival = min(filter(None, [self.first_arrival, *arrivals]), default=None)
        self.last_arrival = max(filter(None, [self.last_arrival, *arrivals]), default=None)

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "joined": self.joined,
            "rejected": self.rejected.total(),
            "rejected_by_reason": dict(self.rejected.most_common()),
            "left_out": self.left_out.total(),
            "left_out_by_reason": dict(self.left_out.most_common()),
            "unknown_statuses": dict(self.unknown_statuses.most_common()),
            "created_by_status": dict(self.created_by_status.most_common()),
            "stays": self.stays,
            "stays_in_another_room": self.stays_in_another_room,
            "stays_moved": self.stays_moved,
            "stays_cancelled": self.stays_cancelled,
            "rooms": self.rooms,
            "rooms_created": self.rooms_created,
            "reminders": {
                "scheduled": self.reminders.scheduled,
                "due": self.reminders.due,
                "skipped": self.reminders.skipped,
                "cancelled": self.reminders.cancelled,
            },
            "first_arrival": self.first_arrival and self.first_arrival.isoformat(),
            "last_arrival": self.last_arrival and self.last_arrival.isoformat(),
            "seconds": round(self.seconds, 2),
            "date_orders": {name: str(order) for name, order in self.date_orders.items()},
            "stored_rows": self.stored_rows,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ImportReport:
        """Return the report that `as_json` converted to JSON."""
        first, last = content["first_arrival"], content["last_arrival"]
        return cls(
            **{name: content[name] for name in _PLAIN_FIELDS},
            rejected=Counter(content["rejected_by_reason"]),
            left_out=Counter(content["left_out_by_reason"]),
            unknown_statuses=Counter(content["unknown_statuses"]),
            created_by_status=Counter(content["created_by_status"]),
            reminders=PlanningResult(**content["reminders"]),
            first_arrival=date.fromisoformat(first) if first else None,
            last_arrival=date.fromisoformat(last) if last else None,
            date_orders={name: DateOrder(order) for name, order in content["date_orders"].items()},
        )


_PLAIN_FIELDS = (
    "rows", "created", "updated", "unchanged", "joined", "stays", "stays_in_another_room", "stays_moved",
    "stays_cancelled", "rooms", "rooms_created", "seconds", "stored_rows",
)  # fmt: skip
