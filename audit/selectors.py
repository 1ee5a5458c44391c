"""The query that returns the audit events since a given time."""

import datetime

from django.db.models import QuerySet

from audit.models import Event
from hotelagent.core.ids import first_uuid7_at

#: The maximum difference between the database's clock and the clock of a process. Event ids use the process's clock.
CLOCK_TOLERANCE = datetime.timedelta(days=1)


def events_since(moment: datetime.datetime) -> QuerySet[Event]:
    """Return the events that were recorded at or after a time.

    The time of an event comes from the clock of the process that recorded the event. The query reads only a
    range of the primary key, because an event id begins with the time.
    """
    return Event.objects.filter(id__gte=first_uuid7_at(moment))
