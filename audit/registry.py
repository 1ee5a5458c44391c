"""The registry of event types. A type has a name, its fields, a severity, an outcome and a description for people.

Each app registers its types in its `events.py`:

    HOLD_ACQUIRED = register("hold.acquired", description=_("{actor} held room {room}"), fields=("room",))

The values of personal fields are stored with a salt apart from the plain fields, so that they can be erased. The values
of secret fields are not stored. The trail shows only that the field was set.

A description may contain `{actor}`, `{subject}` and the fields of the event. The description is translated when an
event is displayed, so stored events do not depend on a language. If the values of a field are codes such as
"late_booking", `labels` maps the codes to texts for display. The key of a label can also be `<kind>.<code>`, with
the kind of the event's subject. A description that contains a number of things has plural forms (`CountedDescription`).

If the fields or the meaning of a type change, its version is increased. `earlier` keeps the descriptions of the earlier
versions, so that older events remain readable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from django.db.models import IntegerChoices, TextChoices
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import pgettext_lazy

from audit.errors import EventTypeConflict, EventTypeNotFound, InvalidEventFields, InvalidEventType
from hotelagent.core.text import visible

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: The name of an event type consists of a subject, a dot and a verb, such as "hold.acquired".
_NAME = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
_RESERVED_FIELDS = frozenset({"actor", "initiator", "subject", "event", "cut"})
_DATE_PREFIX = re.compile(r"\d{4}-\d\d-\d\d(?:T|\Z)")
_DATE_LENGTH = len("2030-05-01")
#: Maps the codes that a field can contain, such as "late_booking", to the texts that are displayed.
Labels: TypeAlias = "Mapping[str, str | StrPromise]"
Description: TypeAlias = "str | StrPromise | CountedDescription"
#: A number for which every language uses the plural form.
_MANY = 10

_types: dict[str, EventType] = {}


class Severity(IntegerChoices):
    """The severity of an event: how urgently people should look at the event."""

    INFO = 1, pgettext_lazy("severity", "information")
    NOTICE = 2, pgettext_lazy("severity", "notice")
    WARNING = 3, pgettext_lazy("severity", "warning")
    CRITICAL = 4, pgettext_lazy("severity", "critical")


class Outcome(IntegerChoices):
    """The outcome of an operation: whether the operation was done, was denied or failed."""

    SUCCESS = 1, pgettext_lazy("event outcome", "done")
    DENIED = 2, pgettext_lazy("event outcome", "denied")
    FAILED = 3, pgettext_lazy("event outcome", "failed")


class Category(TextChoices):
    """The category of an event type, such as security or data access."""

    #: Events about access: logins, accounts, keys, denied access, and the protection of the trail.
    SECURITY = "security", pgettext_lazy("event category", "security")
    #: Events that show who received data: reads of personal data, exports and backups.
    DATA_ACCESS = "data_access", pgettext_lazy("event category", "data access")
    #: Events that show who changed the hotel's data.
    DATA_CHANGE = "data_change", pgettext_lazy("event category", "data change")
    #: Events of operators and of the software, such as creating a hotel, sending e-mails or deleting old data.
    OPERATION = "operation", pgettext_lazy("event category", "operation")


@dataclass(frozen=True, slots=True)
class CountedDescription:
    """A description with plural forms. The number is the value of the field `field`.

    `form` returns the description with the plural form for a number in the active language. The text of the instance
    has the plural form for many.
    """

    field: str
    form: Callable[[int], str]

    def __str__(self) -> str:
        return self.form(_MANY)


@dataclass(frozen=True, slots=True)
class EventType:
    """The type of an event, with the names of its fields and the description that people read.

    `fields` has the names of the plain fields only. No name is in two of the sets `fields`, `personal` and `secret`.
    """

    name: str
    description: Description
    fields: frozenset[str]
    personal: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()
    version: int = 1
    severity: Severity = Severity.INFO
    outcome: Outcome = Outcome.SUCCESS
    category: Category = Category.DATA_CHANGE
    #: Whether an event of this type says that a person or an API client received personal data.
    reads_personal_data: bool = False
    labels: Mapping[str, Labels] = field(default_factory=dict, hash=False)
    earlier: Mapping[int, Description] = field(default_factory=dict, hash=False)

    @property
    def all_fields(self) -> frozenset[str]:
        return self.fields | self.personal | self.secret

    def check_fields(self, names: Iterable[str]) -> None:
        """Raise InvalidEventFields unless `names` are exactly the fields that this event type needs."""
        names = frozenset(names)
        if names != self.all_fields:
            missing, unknown = sorted(self.all_fields - names), sorted(names - self.all_fields)
            raise InvalidEventFields(f"{self.name}: missing fields {missing}, unknown fields {unknown}.")

    def describe(
        self, *, actor: str, subject: str, data: Mapping[str, object], version: int | None = None
    ) -> str:
        """Return the description of an event of this type in the active language.

        `version` is the version of the type with which the event was recorded, by default the current version. Missing
        and erased fields are displayed as `?`. Characters that could hide or reorder text are escaped.
        """
        kind = subject.partition(" ")[0]
        values = {name: self._display(name, value, kind=kind) for name, value in data.items()}
        description = self.earlier.get(version or self.version, self.description)
        if isinstance(description, CountedDescription) and isinstance(
            number := data.get(description.field), int
        ):
            description = description.form(number)
        return str(description).format_map(_Values(values, actor=visible(actor), subject=visible(subject)))

    def _display(self, name: str, value: object, *, kind: str) -> str:
        """Return the text that is displayed for the value of a field: its label, or the formatted value.

        `kind` is the kind of the subject. The items of a list, the members of an object, and codes that are separated
        by a comma and a space are converted one by one.
        """
        if isinstance(value, dict):
            members = value.items()
            return ", ".join(
                f"{self._display(name, key, kind=kind)}: {self._display(name, member, kind=kind)}"
                for key, member in members
            )
        if isinstance(value, list):
            return ", ".join(self._display(name, item, kind=kind) for item in value)
        labels = self.labels.get(name)
        if labels is None:
            return visible(str(_format_value(value)))
        codes = value.split(", ") if isinstance(value, str) else [str(value)]
        texts = (labels.get(f"{kind}.{code}") or labels.get(code) for code in codes)
        return ", ".join(
            str(text or visible(str(_format_value(code)))) for text, code in zip(texts, codes, strict=True)
        )


def _format_value(value: object) -> object:
    """Return a stored value for display. Dates and times are formatted for the active language and time zone."""
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
    description: Description,
    fields: Iterable[str] = (),
    personal: Iterable[str] = (),
    secret: Iterable[str] = (),
    version: int = 1,
    severity: Severity = Severity.INFO,
    outcome: Outcome = Outcome.SUCCESS,
    category: Category = Category.DATA_CHANGE,
    reads_personal_data: bool = False,
    labels: Mapping[str, Labels] | None = None,
    earlier: Mapping[int, Description] | None = None,
) -> EventType:
    """Register an event type, and return it. Call this function when the module is imported.

    `fields`, `personal` and `secret` are the names of the plain, personal and secret fields. `earlier` maps each
    earlier version of the type to the description of that version. A type with `reads_personal_data` has the category
    `DATA_ACCESS`. Raises EventTypeConflict, InvalidEventType.
    """
    if name in _types:
        raise EventTypeConflict(f"The event type {name!r} is already registered.")
    event_type = EventType(
        name=name,
        description=description,
        fields=frozenset(fields),
        personal=frozenset(personal),
        secret=frozenset(secret),
        version=version,
        severity=severity,
        outcome=outcome,
        category=Category.DATA_ACCESS if reads_personal_data else category,
        reads_personal_data=reads_personal_data,
        labels=labels or {},
        earlier=earlier or {},
    )
    _check(event_type)
    _types[name] = event_type
    return event_type


#: Registers an event type like `register`, with the category `SECURITY`.
register_security = partial(register, category=Category.SECURITY)
#: Registers an event type like `register`, with the category `OPERATION`.
register_operation = partial(register, category=Category.OPERATION)


def _check(event_type: EventType) -> None:
    """Raise InvalidEventType if the name, a field or a version of the type is invalid."""
    name = event_type.name
    if not _NAME.fullmatch(name):
        raise InvalidEventType(
            f"{name!r} is not a valid name. Use lowercase words with a dot between subject and verb, "
            "such as 'hold.acquired'."
        )
    if reserved := sorted(event_type.all_fields & _RESERVED_FIELDS):
        raise InvalidEventType(f"{name}: the field names {reserved} are reserved.")
    kinds = (event_type.fields, event_type.personal, event_type.secret)
    if len(event_type.all_fields) != sum(len(kind) for kind in kinds):
        raise InvalidEventType(
            f"{name}: a field can be plain, personal or secret, but only one of the three."
        )
    if set(event_type.earlier) != set(range(1, event_type.version)):
        raise InvalidEventType(
            f"{name}: `earlier` must have the description of each version before {event_type.version}."
        )


def get(name: str) -> EventType:
    """Return the event type with this name. Raises EventTypeNotFound."""
    try:
        return _types[name]
    except KeyError:
        raise EventTypeNotFound(f"The event type {name!r} is not registered.") from None


def all_types() -> list[EventType]:
    """Return all registered event types, ordered by name."""
    return [_types[name] for name in sorted(_types)]
