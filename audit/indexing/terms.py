"""The entries of the search index: which properties events have, and in which periods these events were recorded.

An entry of the index is a pair of a term and a period. A term is a 32-bit hash of one property of an event, such as its
subject. Two properties may have the same hash, so a search also checks the events themselves. A period lasts about 17
minutes (2^20 milliseconds). The time in the id of an event determines the period of the event.
"""

import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from django.db import connection

from audit.registry import Outcome, Severity

#: The number of bits of an event id that do not belong to its period. The period is in the first bits of the id.
_BITS_AFTER_PERIOD = 80 + 20
#: The number of every search period is less than this.
END_OF_PERIODS = 1 << 128 - _BITS_AFTER_PERIOD

# The entries are sorted, so that neighbouring entries of the index are written one after the other.
_INSERT = """
INSERT INTO audit_search_term (term, period)
SELECT term, period FROM unnest(%s::integer[], %s::integer[]) AS new (term, period) ORDER BY term, period
ON CONFLICT DO NOTHING
"""


class Property(StrEnum):
    """The properties of events that the search index covers."""

    SUBJECT = "subject"
    #: The initiator of the event, or the actor of an event without an initiator.
    PERSON = "person"
    EVENT_TYPE = "event"
    REQUEST = "request"
    TASK = "task"
    #: The index term of denied events, of failed events, and of events with at least the severity "warning".
    NOTABLE = "notable"


class IndexedEvent(Protocol):
    """The columns of an event from which the entries of the search index are computed."""

    @property
    def id(self) -> UUID: ...
    @property
    def event(self) -> str: ...
    @property
    def severity(self) -> int: ...
    @property
    def outcome(self) -> int: ...
    @property
    def actor_id(self) -> str: ...
    @property
    def initiator_id(self) -> str | None: ...
    @property
    def request_id(self) -> str: ...
    @property
    def task_id(self) -> str: ...
    @property
    def subject_id(self) -> str: ...


def term(name: Property, value: str = "") -> int:
    """Return the index term of a property with this value: a hash as a signed 32-bit number."""
    return zlib.crc32(f"{name}:{value}".encode()) - (1 << 31)


def period_of(event_id: UUID) -> int:
    """Return the number of the period in which an event with this id was recorded."""
    return event_id.int >> _BITS_AFTER_PERIOD


def first_id_of(period: int) -> UUID:
    """Return the smallest possible id of an event in this period."""
    return UUID(int=min(period << _BITS_AFTER_PERIOD, (1 << 128) - 1))


def periods_of_request(request_id: str) -> list[int]:
    """Return the periods in which the events of a request are expected, if the request id contains the time.

    Our own request ids are UUIDs of version 7. A request ends within a period, so its events are in the period of its
    id or in the following period. Return an empty list for other request ids, which clients may choose.
    """
    try:
        value = UUID(request_id)
    except ValueError:
        return []
    period = period_of(value)
    return [period, period + 1] if value.version == 7 else []


def terms_of(event: IndexedEvent) -> Iterator[int]:
    """Yield the search terms of an event.

    A request id of UUID version 7 needs no term, because its time gives the periods.
    """
    yield term(Property.EVENT_TYPE, event.event)
    if event.subject_id:
        yield term(Property.SUBJECT, event.subject_id)
    if person := event.actor_id if event.initiator_id is None else event.initiator_id:
        yield term(Property.PERSON, person)
    if event.request_id and period_of(event.id) not in periods_of_request(event.request_id):
        yield term(Property.REQUEST, event.request_id)
    if event.task_id:
        yield term(Property.TASK, event.task_id)
    if event.outcome > Outcome.SUCCESS or event.severity >= Severity.WARNING:
        yield term(Property.NOTABLE)


def add_to_index(events: Iterable[IndexedEvent]) -> None:
    """Add events of the current tenant to the search index, in the caller's transaction.

    Entries that the index already has are not added again.
    """
    entries = {(found, period_of(event.id)) for event in events for found in terms_of(event)}
    if entries:
        terms, periods = zip(*entries, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [list(terms), list(periods)])


def remove_from_index(*, before: UUID) -> None:
    """Remove the entries of all search periods that ended before the period of this event id. Reads the whole index."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_search_term WHERE period < %s", [period_of(before)])
