"""The REST API of the audit trail, at /api/v1/audit/. It is read-only."""

from typing import Any

import django_filters
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.routers import SimpleRouter

from audit import registry
from audit.models import Event
from hotelagent.rest.views import HotelReadOnlyViewSet


class EventSerializer(serializers.ModelSerializer[Event]):
    description = serializers.CharField(
        read_only=True,
        help_text="What happened, in the language of the `Accept-Language` header if it is supported.",
    )

    class Meta:
        model = Event
        fields: Any = [
            "id",
            "at",
            "event",
            "description",
            "actor_kind",
            "actor_id",
            "actor_label",
            "ip",
            "request_id",
            "subject_kind",
            "subject_id",
            "data",
        ]
        read_only_fields = fields


def event_choices() -> list[tuple[str, str]]:
    return [(event_type.name, event_type.name) for event_type in registry.all_types()]


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]
    event = django_filters.MultipleChoiceFilter(
        choices=event_choices, label=_("The event type. Repeat the parameter for several types.")
    )
    since = django_filters.IsoDateTimeFilter(
        field_name="at", lookup_expr="gte", label=_("Only events at this time or later.")
    )
    until = django_filters.IsoDateTimeFilter(
        field_name="at", lookup_expr="lt", label=_("Only events before this time.")
    )

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


class EventViewSet(HotelReadOnlyViewSet):
    """The events of the audit trail, newest first."""

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    required_scopes = {"GET": "audit:read"}


router = SimpleRouter()
router.register("audit", EventViewSet, basename="audit")
urlpatterns = router.urls
