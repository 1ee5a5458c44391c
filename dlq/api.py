"""The REST API of failures, at /api/v1/dlq/entries/. Clients report, list, retry and discard failures."""

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import BaseSerializer

from dlq import services
from dlq.corrections.api import (
    CORRECTION_ERRORS,
    IF_MATCH,
    CorrectFailureSerializer,
    PayloadMixin,
    PayloadSerializer,
)
from dlq.external.api import cloudevents
from dlq.external.api.cloudevents import CloudEventParser, CloudEventSerializer
from dlq.external.api.serializers import ReportFailureSerializer
from dlq.external.api.views import AttemptViewSet, ClaimViewSet, client_name
from dlq.external.reports import store_report
from dlq.kinds.availability import has_code
from dlq.models import Attempt, Failure, FailureStatus
from dlq.payloads import find_payload_problems
from dlq.selection import FailureSelection
from hotelagent.rest.conditional import ETAG
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists import changes
from hotelagent.rest.lists.filters import TimeFilter
from hotelagent.rest.parsers import JSONParser
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelViewSet

STATE_ERRORS = problem_responses(
    (409, "`/problems/failure-state-error`: the failure is being retried, resolved or discarded.")
)
_MESSAGE_HELP = "The error message. Messages of this system use the language of the `Accept-Language` header."


class FailureAttemptSerializer(serializers.ModelSerializer[Attempt]):
    error_message = serializers.CharField(source="localized_message", read_only=True, help_text=_MESSAGE_HELP)
    traceback = serializers.CharField(
        read_only=True, help_text="The traceback of the first error of the group."
    )

    class Meta:
        model = Attempt
        fields: Any = [
            "number",
            "outcome",
            "started_at",
            "ended_at",
            "error_type",
            "error_message",
            "traceback",
            "worker",
            "code_version",
        ]
        read_only_fields = fields


class FailureSerializer(serializers.ModelSerializer[Failure]):
    error_message = serializers.CharField(source="localized_message", read_only=True, help_text=_MESSAGE_HELP)
    waits_for = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="The older failure with the same `ordering_key` that must be resolved or discarded first, or null.",
    )

    class Meta:
        model = Failure
        fields: Any = [
            "id",
            "is_task",
            "source",
            "name",
            "status",
            "error_type",
            "error_message",
            "fingerprint",
            "retries",
            "occurrences",
            "next_retry_at",
            "expires_at",
            "created_at",
            "last_seen_at",
            "regressed_at",
            "ordering_key",
            "waits_for",
            "overtaken_at",
            "closed_at",
            "discard_reason",
        ]
        read_only_fields = fields


class FailureDetailSerializer(PayloadSerializer, FailureSerializer):
    attempts = FailureAttemptSerializer(
        many=True, read_only=True, help_text="All attempts. Number 0 is the original failure."
    )
    traceback = serializers.CharField(
        read_only=True, help_text="The traceback of the first error of the group."
    )

    payload_problems = serializers.SerializerMethodField(
        help_text="Why the payload does not match the schema of its kind. Empty if it does. The problems contain no "
        "values of the payload. A failure with problems cannot be retried."
    )

    has_code = serializers.SerializerMethodField(
        help_text="Whether this version of the application has the code that processes the failure. Without the code, "
        "a scheduled failure waits until a version that has it is deployed. Always true for failures of other systems."
    )

    def get_has_code(self, failure: Failure) -> bool:
        return has_code(failure)

    def get_payload_problems(self, failure: Failure) -> list[str]:
        return list(map(str, find_payload_problems(failure)))

    class Meta(FailureSerializer.Meta):
        fields = [
            *FailureSerializer.Meta.fields,
            *PayloadSerializer.Meta.fields,
            "payload_problems",
            "has_code",
            "task_id",
            "request_id",
            "traceback",
            "attempts",
        ]
        read_only_fields = fields


class DiscardFailureSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300, help_text="Why the failure needs no retry.")


class FailureFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=FailureStatus.choices)
    since = TimeFilter(field_name="last_seen_at", lookup_expr="gte")
    until = TimeFilter(field_name="last_seen_at", lookup_expr="lt")
    updated_since = changes.ChangesFilter()
    text = django_filters.CharFilter(
        field_name="error_message",
        lookup_expr="icontains",
        help_text="Words that all occur in the name or in the error message, in upper or lower case.",
    )

    class Meta:
        model = Failure
        fields = [
            "status",
            "is_task",
            "source",
            "name",
            "fingerprint",
            "error_type",
            "ordering_key",
            "since",
            "until",
            "text",
        ]

    def filter_queryset(self, queryset: QuerySet[Failure]) -> QuerySet[Failure]:
        """Filter the failures by the query parameters.

        A redrive job with the same criteria processes the same failures.
        """
        criteria = {
            name: value for name, value in self.form.cleaned_data.items() if name != changes.PARAMETER
        }
        selection = FailureSelection.from_values(criteria)
        return queryset.filter(selection.condition())


@extend_schema_view(
    list=extend_schema(
        responses={
            200: FailureSerializer,
            **problem_responses((422, "`/problems/invalid-selection`: `detail` names the wrong value.")),
        }
    ),
    retrieve=extend_schema(parameters=[ETAG]),
    correct=extend_schema(
        request=CorrectFailureSerializer,
        parameters=[IF_MATCH, ETAG],
        responses={202: FailureDetailSerializer, **CORRECTION_ERRORS},
    ),
)
class FailureViewSet(
    IdempotentMixin, PayloadMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet
):
    """List, report, retry and discard failures. A failure is a message or task that could not be processed."""

    queryset = Failure.objects.all()
    detail_serializer = FailureDetailSerializer
    pagination_class = changes.ChangesPagination
    filterset_class = FailureFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "dlq:read", "POST": "dlq:write"}

    def get_queryset(self) -> QuerySet[Failure]:
        queryset: Any = super().get_queryset()
        if self.action == "list":
            with_waits_for: QuerySet[Failure] = queryset.with_waits_for()
            return with_waits_for
        attempts = Prefetch("attempts", Attempt.objects.with_traceback())
        failures = Failure.objects.with_traceback().with_waits_for()
        detailed: QuerySet[Failure] = failures.prefetch_related(attempts)
        return detailed

    def get_parsers(self) -> list[BaseParser]:
        # REST framework calls this method before it sets `self.action`, so the action is found by the HTTP method.
        action = self.action_map.get((self.request.method or "").lower()) if self.request else self.action
        if action == "create":
            return [JSONParser(), CloudEventParser()]
        return super().get_parsers()

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return FailureSerializer if self.action == "list" else FailureDetailSerializer

    @extend_schema(
        operation_id="reportFailure",
        parameters=[ETAG],
        request={"application/json": ReportFailureSerializer, cloudevents.MEDIA_TYPE: CloudEventSerializer},
        responses={
            201: FailureDetailSerializer,
            200: FailureDetailSerializer,
            **problem_responses(
                (409, "`/problems/event-conflict`: another event has the same `source` and `id`."),
                (415, "`/problems/unsupported-media-type`."),
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Report a failed message.

        The message is a JSON object (`application/json`) or a CloudEvent 1.0 in structured JSON mode
        (`application/cloudevents+json`), one event per request. The `source` of the failure is the name of the API key.

        If a failure of the same message (name and payload) is still open, its `occurrences` are incremented, and the
        response is 200 with that failure. A CloudEvent is stored once: if an event with the same `source` and `id` was
        reported before, the response is 200 with its failure, also if that failure has been closed. If that event had
        other content, the response is 409.

        The failure is scheduled for a retry if an API key with the same name and the scope `dlq:work` can claim it.
        Otherwise it is permanent and waits for a person.
        """
        report = cloudevents.parse_report(request)
        failure_id, is_new = store_report(report, client=client_name(request))
        return self.detail_response(
            self.get_queryset().get(id=failure_id), status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )

    @extend_schema(request=None, parameters=[ETAG], responses={202: FailureDetailSerializer, **STATE_ERRORS})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Retry a failure as soon as a worker is free."""
        failure = self.get_object()
        services.retry(failure_id=failure.id)
        return self.detail_response(self.get_object(), status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=DiscardFailureSerializer,
        parameters=[ETAG],
        responses={200: FailureDetailSerializer, **STATE_ERRORS},
    )
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard a failure that needs no further retry."""
        failure = self.get_object()
        serializer = DiscardFailureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        services.discard(failure_id=failure.id, reason=serializer.validated_data["reason"])
        return self.detail_response(self.get_object())


router = SimpleRouter()
router.register("dlq/entries", ClaimViewSet, basename="failure-claim")
router.register("dlq/entries", AttemptViewSet, basename="failure-attempt")
router.register("dlq/entries", FailureViewSet, basename="failure")
urlpatterns = router.urls
