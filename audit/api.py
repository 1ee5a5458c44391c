"""The REST API of the audit trail, at /api/v1/audit/. It is read-only."""

from typing import Any

import django_filters
from django.db.models import IntegerChoices
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.routers import SimpleRouter

from audit import registry
from audit.models import Event
from audit.registry import Outcome, Severity
from hotelagent.rest.views import HotelReadOnlyViewSet


class _LabelledField(serializers.ChoiceField):
    """A number of an IntegerChoices class, which the API shows as the lowercase name of its member."""

    def __init__(self, choices: type[IntegerChoices], **options: Any) -> None:
        self._names = {member.value: member.name.lower() for member in choices}
        super().__init__([(name, name) for name in self._names.values()], read_only=True, **options)

    def to_representation(self, value: Any) -> str:
        return self._names[value]


class EventSerializer(serializers.ModelSerializer[Event]):
    description = serializers.CharField(
        read_only=True,
        help_text="What happened, in the language of the `Accept-Language` header if it is supported.",
    )
    severity = _LabelledField(Severity, help_text="How urgently people should look at the event.")
    outcome = _LabelledField(Outcome, help_text="Whether the operation was done.")
    actor_label = serializers.CharField(read_only=True, help_text="The name of the actor, or its id or kind.")
    initiator_label = serializers.CharField(
        read_only=True, help_text="The name or id of the person or API key that started a task or command."
    )
    ip = serializers.CharField(read_only=True, allow_null=True, help_text="The IP address of the client.")
    user_agent = serializers.CharField(read_only=True)
    data: Any = serializers.JSONField(
        source="fields", read_only=True, help_text="The fields of the event, without the erased fields."
    )
    erased_fields = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="The names of the personal fields that were erased.",
    )

    class Meta:
        model = Event
        fields: Any = [
            "id",
            "at",
            "event",
            "version",
            "severity",
            "outcome",
            "description",
            "actor_kind",
            "actor_id",
            "actor_label",
            "initiator_kind",
            "initiator_id",
            "initiator_label",
            "ip",
            "user_agent",
            "request_id",
            "task_id",
            "idempotency_key",
            "subject_kind",
            "subject_id",
            "data",
            "erased_fields",
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
