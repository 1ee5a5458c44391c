"""The types of event that the trail knows: a name, the fields it carries, and the sentence a person reads.

Each app registers its own in `events.py`:

    HOLD_ACQUIRED = register("hold.acquired", sentence=_("{actor} held room {room}"), fields=("room",))

A sentence may use `{actor}`, `{subject}` and the event's fields. It is translated when it is read, so the
stored event speaks no language. A field that holds a code ("late_booking") names its `words`, so that a person
reads these instead.
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

# "hold.acquired": what it is about, then what happened to it.
_NAME = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
_RESERVED = frozenset({"actor", "subject", "event"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:T|\Z)")
# The trail can't be rewritten, so a guest can't be erased from it: people are referred to by id.
_PERSONAL = frozenset(
    {"email", "guest", "guest_email", "guest_name", "guest_phone", "phone", "to", "recipient"}
)

#: A field's codes, and what a person reads in their place.
Words: TypeAlias = "Mapping[str, str | StrPromise]"

_types: dict[str, EventType] = {}


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    sentence: str | StrPromise
    fields: frozenset[str]
    words: Mapping[str, Words] = field(default_factory=dict, hash=False)

    def check_fields(self, given: Iterable[str]) -> None:
        """Raise InvalidEventFields unless `given` are the registered fields, no more and no fewer."""
        given = frozenset(given)
        if given != self.fields:
            missing, unknown = sorted(self.fields - given), sorted(given - self.fields)
            raise InvalidEventFields(f"{self.name}: missing {missing}, not registered {unknown}")

    def render(self, *, actor: str, subject: str, data: Mapping[str, object]) -> str:
        """The sentence in the language that is active; a field that an older event lacks reads as `?`."""
        shown = {
            name: self.words.get(name, {}).get(str(value)) or _shown(value) for name, value in data.items()
        }
        return str(self.sentence).format_map(_Values(shown, actor=actor, subject=subject))


def _shown(value: object) -> object:
    """A stored value as a person reads it: days and moments in the format and the zone that are active."""
    if isinstance(value, list):
        return ", ".join(str(_shown(item)) for item in value)
    if not isinstance(value, str) or not _DAY.match(value):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if moment.tzinfo is not None:
        return date_format(localtime(moment), "DATETIME_FORMAT")
    return date_format(moment.date(), "DATE_FORMAT") if len(value) == len("2030-05-01") else value


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def register(
    name: str,
    *,
    sentence: str | StrPromise,
    fields: Iterable[str] = (),
    words: Mapping[str, Words] | None = None,
) -> EventType:
    """Make an event type known. Raises EventTypeConflict or InvalidEventType: at import, so a deploy can't miss it."""
    if not _NAME.fullmatch(name):
        raise InvalidEventType(
            f"{name!r}: an event is named like 'hold.acquired': lower case, a dot between the parts"
        )
    if name in _types:
        raise EventTypeConflict(name)
    fields = frozenset(fields)
    if taken := sorted(fields & _RESERVED):
        raise InvalidEventType(f"{name}: {taken} have a place of their own on every event")
    if personal := sorted(fields & _PERSONAL):
        raise InvalidEventType(f"{name}: {personal} would keep personal data for ever; refer to people by id")
    _types[name] = event_type = EventType(name=name, sentence=sentence, fields=fields, words=words or {})
    return event_type


def get(name: str) -> EventType:
    """The event type of this name. Raises EventTypeNotFound."""
    try:
        return _types[name]
    except KeyError:
        raise EventTypeNotFound(name) from None


def all_types() -> list[EventType]:
    return [_types[name] for name in sorted(_types)]
