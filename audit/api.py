"""The read-only REST API of the audit trail, at /api/v1/audit/."""

from typing import Any

import django_filters
from django.db.models import IntegerChoices, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from audit.models import ActorKind, Event, attach_causes
from audit.reading.repeated_reads import record_reading
from audit.reading.search import EventSearch, event_choices
from audit.registry import Category, Outcome, Severity
from audit.sealing import api as sealing_api
from hotelagent.rest.lists.filters import TimeFilter
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelReadOnlyViewSet


def _member_choices(choices: type[IntegerChoices]) -> list[tuple[str, str]]:
    return [(member.name.lower(), member.name.lower()) for member in choices]


OUTCOMES = _member_choices(Outcome)
SEVERITIES = _member_choices(Severity)


class _LabelledField(serializers.ChoiceField):
    """A field that the database stores as a number and the API shows as a lowercase name.

    The numbers and names are the members of an IntegerChoices class.
    """

    def __init__(self, choices: type[IntegerChoices], **options: Any) -> None:
        self._names = {member.value: member.name.lower() for member in choices}
        super().__init__(_member_choices(choices), read_only=True, **options)

    def to_representation(self, value: Any) -> str:
        return self._names[value]


class EventSerializer(serializers.ModelSerializer[Event]):
    description = serializers.CharField(
        read_only=True,
        help_text="What happened, in the language of the `Accept-Language` header if it is supported.",
    )
    severity = _LabelledField(Severity, help_text="How urgently people should look at the event.")
    outcome = _LabelledField(Outcome, help_text="Whether the operation was done, was denied or failed.")
    category = serializers.ChoiceField(
        choices=Category.choices,
        read_only=True,
        allow_null=True,
        help_text="The category of the event type, or null if the event type no longer exists.",
    )
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
            "category",
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


def _choice_filter(choices: list[tuple[str, str]], *, label: Any) -> Any:
    """Return a filter by a column of numbers. Clients enter the names that the OpenAPI schema lists."""
    schema = {"type": "string", "enum": [name for name, _label in choices]}
    return extend_schema_field(schema)(django_filters.ChoiceFilter(choices=choices, label=label))


def _event_filter() -> Any:
    """Return a filter by event types. The OpenAPI schema lists the types that are registered at the start."""
    label = _("The event type. Repeat the parameter for several types.")
    schema = {"type": "string", "enum": sorted(name for name, _label in event_choices())}
    return extend_schema_field(schema)(
        django_filters.MultipleChoiceFilter(choices=event_choices, label=label)
    )


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]
    event = _event_filter()
    category = django_filters.MultipleChoiceFilter(
        choices=Category.choices,
        label=_("The category of the event type. Repeat the parameter for several categories."),
    )
    actor_kind = django_filters.ChoiceFilter(
        choices=ActorKind.choices, label=_("The kind of the actor: who or what performed the operation.")
    )
    actor_id = django_filters.CharFilter(
        label=_(
            "The id of the actor, such as a person. Events of tasks that the actor started are found too."
        )
    )
    subject_kind = django_filters.CharFilter(label=_("The kind of the object that the event is about."))
    subject_id = django_filters.CharFilter(label=_("The id of the object that the event is about."))
    outcome = _choice_filter(OUTCOMES, label=_("Whether the operation was done, was denied or failed."))
    severity = _choice_filter(SEVERITIES, label=_("The minimum severity of the events."))
    request_id = django_filters.CharFilter(label=_("The id of the request that caused the events."))
    task_id = django_filters.CharFilter(label=_("The id of the task that caused the events."))
    act = django_filters.UUIDFilter(
        label=_("The id of an event. All events of the same request, task or transaction are found.")
    )
    access = django_filters.BooleanFilter(
        label=_("Whether to find only events about access to personal data.")
    )
    text = django_filters.CharFilter(label=_("Only events with a field that contains this text."))
    since = TimeFilter(label=_("Only events at or after this time."))
    until = TimeFilter(label=_("Only events before this time."))

    def filter_queryset(self, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Return the events that match the filters, and record that the trail was read. Raises SearchTooBroad."""
        values = {name: value for name, value in self.form.cleaned_data.items() if value}
        values["events"] = values.pop("event", ())
        values["categories"] = values.pop("category", ())
        for name, choices in (("outcome", Outcome), ("severity", Severity)):
            if name in values:
                values[name] = choices[values[name].upper()]
        search = EventSearch(**values)
        found = search.apply(queryset)
        record_reading(search.names())
        return found


@extend_schema_view(
    list=extend_schema(
        responses={
            200: EventSerializer,
            **problem_responses((422, "`/problems/search-too-broad`: add a filter that an index serves.")),
        }
    )
)
class EventViewSet(HotelReadOnlyViewSet):
    """The events of the audit trail, newest first.

    A search that no index can serve is refused with the problem type `/problems/search-too-broad`. Reading the trail is
    recorded in the trail, at most once per hour for the same client and filters.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    required_scopes = {"GET": "audit:read"}

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return one page of events. The causes of all row changes on the page are read with one query."""
        page = super().paginate_queryset(queryset)
        attach_causes(page or [])
        return page

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record_reading(["id"])
        return super().retrieve(request, *args, **kwargs)


router = SimpleRouter()
router.register("audit", EventViewSet, basename="audit")
urlpatterns = [*sealing_api.urlpatterns, *router.urls]
