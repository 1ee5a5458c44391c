"""Queries of the audit trail: the events about one object, and the events since a point in time."""

import datetime

from django.db.models import Model, QuerySet

from audit.models import Event
from hotelagent.core.ids import first_uuid7_at


def timeline(*, kind: str, identifier: object) -> QuerySet[Event]:
    """Return the events about one subject (an object with this kind and id), newest first."""
    return Event.objects.filter(subject_kind=kind, subject_id=str(identifier)).order_by("-id")


def object_timeline(obj: Model) -> QuerySet[Event]:
    """Return the events of a model instance, newest first.

    If the primary key is a UUID, events of all subject kinds are returned, because a hold keeps its id when it becomes
    a stay. An integer key is unique only within one model, so only events of one subject kind are returned.
    """
    if isinstance(obj.pk, int):
        return timeline(kind=str(obj._meta.model_name), identifier=obj.pk)
    return Event.objects.filter(subject_id=str(obj.pk)).order_by("-id")


def events_since(moment: datetime.datetime) -> QuerySet[Event]:
    """Return the events that were recorded at or after a time, by the clock of the process that recorded each event.

    The query reads only a range of the primary key, because an event id begins with the time.
    """
    return Event.objects.filter(id__gte=first_uuid7_at(moment))
