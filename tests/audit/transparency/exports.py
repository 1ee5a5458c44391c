"""Functions that create example transparency logs and exports for the tests of the verifier."""

import base64
import hashlib
import json
from typing import Any

from audit.transparency.checkpoints import Checkpoint, sign_checkpoint
from audit.transparency.export_format import ExportedEvent, export_lines
from audit.transparency.notes import PrivateKey
from tests.audit.transparency.trees import Log

ORIGIN = "hotels.example/audit/0198c0de-0000-7000-8000-000000000001"
KEY = PrivateKey.generate("hotels.example/audit")

#: A line of an export as a JSON object.
Line = dict[str, Any]


def event(position: int) -> ExportedEvent:
    """Return an example event with the personal fields `actor` and `reason`."""
    personal: dict[str, dict[str, Any]] = {
        "actor": {"salt": salt(position), "value": {"label": "Jesús 🛎", "ip": "192.0.2.7"}},
        "reason": {"salt": salt(position + 1), "value": f"Guest {position} asked for\u2028it"},
    }
    members = {
        "at": "2030-05-01T22:30:00.000000Z",
        "data": {"room": str(position)},
        "event": "hold.released",
        "personal": {name: commitment(**value) for name, value in personal.items()},
        "v": 1,
    }
    entry = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return ExportedEvent(position, entry, personal)


def salt(number: int) -> str:
    return base64.b64encode(number.to_bytes(16)).decode()


def commitment(salt: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(base64.b64decode(salt) + text.encode()).hexdigest()


class Trail:
    """A transparency log of example events, together with these events."""

    def __init__(self, size: int = 0) -> None:
        self.events: list[ExportedEvent] = []
        self.log = Log()
        self.append([event(position) for position in range(size)])

    def append(self, events: list[ExportedEvent]) -> None:
        """Append events to the log. The events get the next free positions."""
        self.events += [
            event._replace(position=place) for place, event in enumerate(events, len(self.events))
        ]
        self.log.append([event.entry for event in events])

    def note(self, size: int | None = None, key: PrivateKey = KEY, origin: str = ORIGIN) -> str:
        size = self.log.size if size is None else size
        return sign_checkpoint(Checkpoint(origin, size, self.log.root(size)), [key])

    def export(self, start: int = 0, end: int | None = None, **options: Any) -> list[Line]:
        """Return the lines of an export with the events at the positions from `start` to `end - 1`."""
        end = self.log.size if end is None else end
        options = {
            "note": self.note(),
            "read_tiles": self.log.read,
            "events": self.events[start:end],
            **options,
        }
        return [json.loads(line) for line in export_lines(start=start, end=end, **options)]


def text_of(lines: list[Line]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def place_of(lines: list[Line], position: int) -> int:
    """Return the index of the line that contains the event at a position of the log."""
    return next(place for place, line in enumerate(lines) if line.get("position") == position)
