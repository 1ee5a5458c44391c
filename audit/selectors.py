"""Reading the trail."""

from django.db.models import Model, QuerySet

from audit.models import Event


def timeline(*, kind: str, identifier: object) -> QuerySet[Event]:
    """All that is known to have happened to one thing, newest first."""
    return Event.objects.filter(subject_kind=kind, subject_id=str(identifier)).order_by("-id")


def timeline_of(thing: Model) -> QuerySet[Event]:
    """All that is known to have happened to a stored thing, newest first.

    A UUID finds its events under every name that the thing goes by (a hold becomes a stay); a number means
    something only beside its kind.
    """
    if isinstance(thing.pk, int):
        return timeline(kind=str(thing._meta.model_name), identifier=thing.pk)
    return Event.objects.filter(subject_id=str(thing.pk)).order_by("-id")
