"""What a reader of the trail narrows it by."""

import django_filters
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.models import Event


def event_choices() -> list[tuple[str, str]]:
    return [(event_type.name, event_type.name) for event_type in registry.all_types()]


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]
    event = django_filters.MultipleChoiceFilter(
        choices=event_choices, label=_("What happened; repeat it for several.")
    )
    since = django_filters.IsoDateTimeFilter(
        field_name="at", lookup_expr="gte", label=_("At this time or later.")
    )
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label=_("Before this time."))

    class Meta:
        model = Event
        fields = [
            "event",
            "actor_kind",
            "actor_id",
            "subject_kind",
            "subject_id",
            "request_id",
            "since",
            "until",
        ]
