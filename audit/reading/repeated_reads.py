"""Audit events about reads that are recorded at most once per hour, such as reads of the audit trail."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from audit import events
from audit.reading.search import by_person
from audit.recording.values import clean
from audit.registry import EventType
from audit.selectors import events_since
from audit.services import Subject, record
from tenants.context import current_actor

_PERIOD = timedelta(hours=1)


def record_reading(filters: Iterable[str]) -> None:
    """Record that the current actor read the trail, at most once per hour for the same filters.

    Only the names of the filters are recorded, not the values.
    """
    record_once_per_hour(events.TRAIL_READ, filters=sorted(filters))


def record_once_per_hour(event_type: EventType, *, subject: Subject | None = None, **fields: object) -> None:
    """Record an event, unless the same person has caused an equal event within the last hour.

    Use this function for reads that a person repeats, for example by reloading a page. Events of different persons
    and of different API keys are never merged. The event type must have plain fields only. Two simultaneous requests
    may record two events.
    """
    kind, identifier = subject or ("", "")
    recorded = events_since(timezone.now() - _PERIOD).filter(
        event=event_type.name, subject_kind=kind, subject_id=str(identifier), data=clean(fields)
    )
    if not by_person(recorded, current_actor().responsible.id).exists():
        record(event_type, subject=subject, **fields)
