"""What an import did, in numbers that add up: rows = stored + updated + unchanged + rejected + outside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from reminders.planning.planner import PlanningResult


@dataclass(slots=True)
class Report:
    """`outside` are rows of other days than were asked for; rows of other hotels are not counted at all."""

    rows: int = 0
    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    outside: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    stays: int = 0
    elsewhere: int = 0  # stays whose own room was taken, and that got another
    stays_moved: int = 0
    stays_cancelled: int = 0
    rooms: int = 0
    rooms_made: int = 0
    reminders: PlanningResult = field(default_factory=PlanningResult)
    shifted_days: int = 0
    first_arrival: date | None = None
    last_arrival: date | None = None
    seconds: float = 0.0

    def add_up(self) -> bool:
        return self.rows == self.stored + self.updated + self.unchanged + self.outside + self.rejected.total()

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "stored": self.stored,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected.total(),
            "rejected_by_reason": dict(self.rejected.most_common()),
            "outside": self.outside,
            "stored_by_status": dict(self.statuses.most_common()),
            "stays": self.stays,
            "stays_in_another_room": self.elsewhere,
            "stays_moved": self.stays_moved,
            "stays_cancelled": self.stays_cancelled,
            "rooms": self.rooms,
            "rooms_made": self.rooms_made,
            "reminders": {
                "scheduled": self.reminders.scheduled,
                "due": self.reminders.due,
                "skipped": self.reminders.skipped,
                "cancelled": self.reminders.cancelled,
            },
            "shifted_days": self.shifted_days,
            "first_arrival": self.first_arrival and self.first_arrival.isoformat(),
            "last_arrival": self.last_arrival and self.last_arrival.isoformat(),
            "seconds": round(self.seconds, 2),
        }
