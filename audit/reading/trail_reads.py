"""The audit events about reads of the audit trail. Each event contains the reader and the used filters."""

from collections.abc import Iterable

from django.utils import timezone

from audit import events
from audit.reading.search import by_person
from audit.selectors import events_since
from audit.services import record
from tenants.context import current_actor


def record_reading(filters: Iterable[str]) -> None:
    """Record that the current actor read the trail, at most once per hour for the same filters.

    Only the names of the filters are recorded, not the values. Two simultaneous requests may record two events.
    """
    names = sorted(filters)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    recorded = events_since(hour).filter(event=events.TRAIL_READ.name, data__filters=names)
    if not by_person(recorded, current_actor().responsible.id).exists():
        record(events.TRAIL_READ, filters=names)
