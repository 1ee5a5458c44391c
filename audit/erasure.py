"""The erasure of personal values from recorded events.

An erasure replaces the salt and the value of a personal field by its commitment, a hash of both (`audit.entries`). The
commitment does not reveal the value, because the random salt is deleted too. The transparency log covers only the
commitment, so an erasure does not change the log.
"""

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from audit.entries import commitment
from audit.models import ORIGIN, ActorKind, Event
from audit.reading.saved_searches import forget_searches, searches_of
from audit.reading.search import by_person
from hotelagent.core.text import texts_in

#: The number of events that one query reads and one statement updates.
BATCH_SIZE = 1000

_ERASE = """
UPDATE audit_event SET personal = erased.personal
FROM json_to_recordset(%s) AS erased (id uuid, personal jsonb) WHERE audit_event.id = erased.id
"""
_WITH_TEXT = "EXISTS (SELECT FROM jsonb_each(personal) AS field WHERE lower(field.value ->> 'value') = ANY(%s::text[]))"

#: A function that returns whether any of the given texts contains an identifier of the guest.
Matcher = Callable[[Iterable[str]], bool]


class ErasedEvents(NamedTuple):
    """The number of changed events. `is_complete` is False if the erasure stopped at its time limit."""

    events: int
    is_complete: bool


def erase_guest(is_match: Matcher, *, seconds: float | None = None) -> ErasedEvents:
    """Erase the personal values of a guest from the trail of the current tenant.

    A personal value is erased if it contains an identifier of the guest. If an identifier of the guest is the subject
    of an event, all personal fields of the event are erased, and the address of an anonymous client too. Each batch is
    committed separately unless the caller has a transaction. All events are read, because an index cannot find parts of
    texts. The erasure stops after `seconds`. The erasure can be repeated. Saved searches for the guest are deleted.
    """
    started = time.monotonic()
    count = 0
    forget_searches(is_match)
    for changed in _erase_in_batches(Event.objects.all(), lambda event: _fields_of_guest(event, is_match)):
        count += changed
        if seconds is not None and time.monotonic() - started > seconds:
            return ErasedEvents(count, is_complete=False)
    return ErasedEvents(count, is_complete=True)


def erase_staff_member(*, user_id: uuid.UUID, username: str = "", email: str = "") -> int:
    """Erase the personal values of a member of staff from the trail of the current tenant, and return the number of
    changed events.

    The person's name, IP addresses and user agents are erased from the events that the person caused directly or
    through a task. All personal fields are erased from the events about the person's account. Fields whose value is the
    user name or the e-mail address are erased from all events. The personal values of the account's row are erased from
    the events about changed rows. The saved searches of the person are deleted, and the searches for the user name or
    the e-mail address.
    """
    names = [name.lower() for name in (username, email) if name]
    searches_of(user_id).delete()
    forget_searches(lambda texts: any(text.lower() in names for text in texts))
    identifier = str(user_id)
    rows = Event.objects.filter(personal__has_key=identifier)
    own = by_person(Event.objects.all(), identifier)
    about = Event.objects.filter(subject_kind="user", subject_id=identifier)
    count = sum(_erase_in_batches(own, lambda event: _fields_of_actor(event, identifier)))
    count += sum(_erase_in_batches(about, lambda event: set(event.personal or {}) - ORIGIN))
    count += sum(_erase_in_batches(rows, lambda _event: {identifier}))
    if names:
        named = Event.objects.extra(where=[_WITH_TEXT], params=[names])  # noqa: S610 - a constant with a parameter
        count += sum(_erase_in_batches(named, lambda event: _fields_with_text(event, names)))
    return count


_COLUMNS = ("id", "subject_id", "actor_kind", "actor_id", "initiator_kind", "initiator_id", "personal")


def _erase_in_batches(events: QuerySet[Event], fields_of: Callable[[Event], set[str]]) -> Iterator[int]:
    """Erase from each event the personal fields that `fields_of` returns. Yield the number of changed events per batch.

    The events are read in the order of their ids, and each batch is erased with one statement.
    """
    last = uuid.UUID(int=0)
    found = events.filter(personal__isnull=False).order_by("id").only(*_COLUMNS)
    while batch := list(found.filter(id__gt=last)[:BATCH_SIZE]):
        last = batch[-1].id
        yield _erase_fields((event, fields_of(event)) for event in batch)


def _erase_fields(events: Iterable[tuple[Event, set[str]]]) -> int:
    """Erase the given personal fields of the given events with one statement. Return the number of changed events."""
    rows = []
    for event, names in events:
        stored = event.personal or {}
        if erased := {
            name: {"digest": commitment(stored[name])}
            for name in names & stored.keys()
            if "value" in stored[name]
        }:
            rows.append({"id": str(event.id), "personal": stored | erased})
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_ERASE, [json.dumps(rows)])
    return len(rows)


def _fields_of_guest(event: Event, is_match: Matcher) -> set[str]:
    stored = event.personal or {}
    fields = {name for name, field in stored.items() if is_match(texts_in(field.get("value")))}
    if event.subject_id and is_match([event.subject_id]):
        fields |= set(stored) - ORIGIN
        if event.actor_kind == ActorKind.ANONYMOUS:
            fields.add("actor")
    return fields


def _fields_of_actor(event: Event, identifier: str) -> set[str]:
    people = {
        "actor": (event.actor_kind, event.actor_id),
        "initiator": (event.initiator_kind, event.initiator_id),
    }
    names = {name for name, person in people.items() if person == (ActorKind.USER, identifier)}
    if "initiator" in names and event.actor_kind == ActorKind.SUPPORT:
        names.add("actor")  # Contains the IP address and the user agent of the person.
    return names


def _fields_with_text(event: Event, texts: Collection[str]) -> set[str]:
    """Return the names of the personal fields whose value is one of the texts. The texts are in lower case."""
    return {
        name for name, field in (event.personal or {}).items() if str(field.get("value")).lower() in texts
    }
