"""The registry of event types. A type has a name, the names of its fields, and a description for people.

Each app registers its types in its `events.py`:

    HOLD_ACQUIRED = register("hold.acquired", description=_("{actor} held room {room}"), fields=("room",))

A description may contain `{actor}`, `{subject}` and the fields of the event. The description is translated when an
event is displayed, so stored events do not depend on a language. If the values of a field are codes such as
"late_booking", `labels` maps the codes to texts for display.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from django.utils.formats import date_format
from django.utils.timezone import localtime

from audit.errors import EventTypeConflict, EventTypeNotFound, InvalidEventFields, InvalidEventType

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: The name of an event type consists of a subject, a dot and a verb, such as "hold.acquired".
_NAME = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
_RESERVED_FIELDS = frozenset({"actor", "subject", "event"})
_DATE_PREFIX = re.compile(r"\d{4}-\d\d-\d\d(?:T|\Z)")
_DATE_LENGTH = len("2030-05-01")
#: Field names that an event type may not use, because such fields would contain personal data.
#: Personal data could not be erased from the append-only audit trail.
_PERSONAL_FIELDS = frozenset(
    {"email", "guest", "guest_email", "guest_name", "guest_phone", "phone", "to", "recipient"}
)

#: The label of each code of a field.
Labels: TypeAlias = "Mapping[str, str | StrPromise]"

_types: dict[str, EventType] = {}


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    description: str | StrPromise
    fields: frozenset[str]
    labels: Mapping[str, Labels] = field(default_factory=dict, hash=False)

    def check_fields(self, names: Iterable[str]) -> None:
        """Raise InvalidEventFields unless `names` are exactly the fields of this type."""
        names = frozenset(names)
        if names != self.fields:
            missing, unknown = sorted(self.fields - names), sorted(names - self.fields)
            raise InvalidEventFields(f"{self.name}: missing fields {missing}, unknown fields {unknown}.")

    def describe(self, *, actor: str, subject: str, data: Mapping[str, object]) -> str:
        """Return the description in the active language. Missing fields of older events are displayed as `?`."""
        values = {
            name: self.labels.get(name, {}).get(str(value)) or _format_value(value)
            for name, value in data.items()
        }
        return str(self.description).format_map(_Values(values, actor=actor, subject=subject))


def _format_value(value: object) -> object:
    """Return a stored value for display. Dates and times are formatted for the active language and time zone."""
    if isinstance(value, list):
        return ", ".join(str(_format_value(item)) for item in value)
    if not isinstance(value, str) or not _DATE_PREFIX.match(value):
        return value
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return value
    if parsed.tzinfo is not None:
        return date_format(localtime(parsed), "DATETIME_FORMAT")
    return date_format(parsed.date(), "DATE_FORMAT") if len(value) == _DATE_LENGTH else value


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def register(
    name: str,
    *,
    description: str | StrPromise,
    fields: Iterable[str] = (),
    labels: Mapping[str, Labels] | None = None,
) -> EventType:
    """Register and return an event type.

    Call this function at import time. Raises EventTypeConflict, InvalidEventType.
    """
    if not _NAME.fullmatch(name):
        raise InvalidEventType(
            f"{name!r} is not a valid name. Use lowercase words with a dot between subject and verb, "
            "such as 'hold.acquired'."
        )
    if name in _types:
        raise EventTypeConflict(f"The event type {name!r} is already registered.")
    fields = frozenset(fields)
    if reserved := sorted(fields & _RESERVED_FIELDS):
        raise InvalidEventType(f"{name}: the field names {reserved} are reserved.")
    if personal := sorted(fields & _PERSONAL_FIELDS):
        raise InvalidEventType(
            f"{name}: the fields {personal} would store personal data, which cannot be erased from the trail. "
            "Refer to people by their ids."
        )
    _types[name] = event_type = EventType(
        name=name, description=description, fields=fields, labels=labels or {}
    )
    return event_type


def get(name: str) -> EventType:
    """Return the event type with this name. Raises EventTypeNotFound."""
    try:
        return _types[name]
    except KeyError:
        raise EventTypeNotFound(f"The event type {name!r} is not registered.") from None


def all_types() -> list[EventType]:
    """Return all event types, ordered by name."""
    return [_types[name] for name in sorted(_types)]
