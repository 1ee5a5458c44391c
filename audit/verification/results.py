"""The possible results of the verification of a trail, and the report about one trail."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The result of a verification, which checks that the trail is the same as when it was signed.

    UNDETERMINED means that the verification was not possible.
    """

    VALID = "valid"
    INVALID = "invalid"
    UNDETERMINED = "undetermined"


class InvalidTrail(Exception):
    """The trail differs from what was signed.

    `position` is the position of the first wrong event in the log, or None if the problem has no position.
    """

    def __init__(self, position: int | None, reason: str) -> None:
        super().__init__(reason)
        self.position, self.reason = position, reason


class UndeterminedTrail(Exception):
    """The verification of the trail is not possible. The error message says why, and what to do."""


@dataclass(slots=True)
class TrailReport:
    """The result of the verification of one trail.

    `position` is the position of the first wrong event, counted from zero, or None if the trail is valid or the problem
    has no position. `deleted` is the number of older events that retention deleted. `notes` has remarks about a valid
    trail. `note` is the newest signed checkpoint.
    """

    trail: str
    origin: str = ""
    status: Status = Status.VALID
    position: int | None = None
    reason: str = ""
    events: int = 0
    unsealed: int = 0
    deleted: int = 0
    notes: list[str] = field(default_factory=list)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "trail": self.trail,
            "log": self.origin,
            "result": self.status.value,
            "position": self.position,
            "reason": self.reason,
            "events": self.events,
            "unsealed": self.unsealed,
            "deleted": self.deleted,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        match self.status:
            case Status.VALID:
                unsealed = f", {self.unsealed} events are not sealed yet" if self.unsealed else ""
                text = f"{self.trail}: valid, {self.events} events{unsealed}."
            case Status.INVALID:
                place = "" if self.position is None else f" at position {self.position}"
                text = f"{self.trail}: INVALID{place}. {self.reason}"
            case Status.UNDETERMINED:
                text = f"{self.trail}: undetermined. {self.reason}"
        return "\n".join([text, *(f"  {note}" for note in self.notes)])


def overall_status(reports: list[TrailReport]) -> Status:
    """Return one result for several trails: INVALID if any trail is invalid, and VALID if all trails are valid.

    Otherwise, or if there are no trails, return UNDETERMINED.
    """
    found = {report.status for report in reports}
    if Status.INVALID in found:
        return Status.INVALID
    return Status.VALID if found == {Status.VALID} else Status.UNDETERMINED
