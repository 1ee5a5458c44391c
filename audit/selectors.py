"""Reading the trail."""

from django.db.models import QuerySet

from audit.models import Event


def timeline(*, kind: str, identifier: object) -> QuerySet[Event]:
    """All that is known to have happened to one thing, newest first."""
    return Event.objects.filter(subject_kind=kind, subject_id=str(identifier)).order_by("-id")
