"""The REST API of redrive jobs, at /api/v1/dlq/redrives/. Clients can start, list, pause and cancel redrive jobs."""

from dataclasses import fields
from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from dlq.models import FailureStatus
from dlq.redrives import services
from dlq.redrives.models import Redrive, RedriveAction, RedriveResult, RedriveStatus, StopReason
from dlq.redrives.results import Entries, Entry
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists.filters import pagination_parameters, refuse_unknown_parameters
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelViewSet

STATE_ERRORS = problem_responses(
    (409, "`/problems/redrive-state-error`: the redrive has ended, or is not paused.")
)
START_ERRORS = problem_responses(
    (422, "`/problems/invalid-selection` or `/problems/invalid-redrive`: `detail` names the wrong value.")
)
_TEXT: dict[str, Any] = {"required": False, "allow_blank": True, "max_length": 150}
_REFUSED_HELP = "The number of refused failures by reason. The reasons are values of `result`."


class FailureSelectionSerializer(StrictSerializer):
    """The criteria that select failures. The list of failures has query parameters with the same names and meanings.

    A criterion that is left out is not checked.
    """

    status = serializers.MultipleChoiceField(
        choices=FailureStatus.choices,
        required=False,
        help_text="The statuses of the failures. Closed failures are never covered.",
    )
    is_task = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Whether the failures are failed tasks of this system.",
    )
    # The type checker reports an error, because the base class Field has a text attribute `source`.
    source = serializers.CharField(**_TEXT, help_text="The system that reported the failures.")  # type: ignore[assignment]
    name = serializers.CharField(**_TEXT, help_text="The kind of the failures, such as `reminders.send`.")
    fingerprint = serializers.CharField(**_TEXT, help_text="The fingerprint of a group.")
    error_type = serializers.CharField(**_TEXT, help_text="The type of the latest error.")
    since = serializers.DateTimeField(required=False, help_text="Last seen at this time or later.")
    until = serializers.DateTimeField(required=False, help_text="Last seen before this time.")
    text = serializers.CharField(**_TEXT, help_text="Words in the name or in the error message.")
    ordering_key = serializers.CharField(**_TEXT, help_text="The ordering key of the failures.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Retry carefully",
            value={
                "selection": {"status": ["permanent"], "name": "reminders.send"},
                "dry_run": False,
                "rate": 600,
                "canary": 5,
                "max_failure_rate": 20,
            },
            request_only=True,
        )
    ]
)
class StartRedriveSerializer(StrictSerializer):
    """The request to preview or start a redrive job."""

    selection = FailureSelectionSerializer(
        help_text="The failures to retry or discard. `{}` selects all open failures."
    )
    dry_run = serializers.BooleanField(
        help_text="True returns what the redrive would do, and changes nothing. False starts the redrive."
    )
    action = serializers.ChoiceField(choices=RedriveAction.choices, default=RedriveAction.RETRY)
    discard_reason = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        default="",
        help_text="Required to discard failures.",
    )
    confirm_in_doubt = serializers.BooleanField(
        default=False,
        help_text="True also retries work that may have been done and must not be done twice.",
    )
    rate = serializers.IntegerField(
        min_value=1, max_value=1_000_000, allow_null=True, default=None, help_text="Retries per minute."
    )
    canary = serializers.IntegerField(
        min_value=0,
        max_value=1000,
        default=0,
        help_text="The number of failures that are retried first. The rest follows if all of them succeed.",
    )
    max_failure_rate = serializers.IntegerField(
        min_value=0,
        max_value=100,
        allow_null=True,
        default=None,
        help_text="The redrive stops if a larger percentage of at least 10 retries failed.",
    )


class RedriveSerializer(serializers.ModelSerializer[Redrive]):
    refused = serializers.DictField(child=serializers.IntegerField(), read_only=True, help_text=_REFUSED_HELP)
    stop_reason = serializers.ChoiceField(
        choices=StopReason.choices,
        allow_blank=True,
        read_only=True,
        help_text="Why the redrive was stopped. Empty if it was not stopped.",
    )
    requested_by = serializers.CharField(source="actor_label", read_only=True)

    class Meta:
        model = Redrive
        fields: Any = [
            "id",
            "action",
            "status",
            "selection",
            "discard_reason",
            "confirm_in_doubt",
            "rate",
            "canary",
            "max_failure_rate",
            "matched",
            "scheduled",
            "succeeded",
            "failed",
            "withdrawn",
            "discarded",
            "refused",
            "stop_reason",
            "requested_by",
            "started_at",
            "ended_at",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "matched": {
                "help_text": "The number of matching failures at the start. Null if counting took too long."
            },
            "scheduled": {"help_text": "The number of failures whose retry was scheduled."},
            "withdrawn": {
                "help_text": "Retries that were scheduled and withdrawn before a worker began them."
            },
        }


class RedriveSampleSerializer(serializers.Serializer[Any]):
    """A failure that matches the criteria of the redrive job."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=FailureStatus.choices)
    error_type = serializers.CharField()


class RedrivePreviewSerializer(serializers.Serializer[Any]):
    """The preview of a redrive job: the numbers of failures that the redrive would retry, discard or refuse.

    The numbers are null if counting took too long.
    """

    matched = serializers.IntegerField(allow_null=True, help_text="The number of open failures that match.")
    accepted = serializers.IntegerField(
        allow_null=True, help_text="The number of failures that would be retried or discarded."
    )
    refused = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text=_REFUSED_HELP
    )
    sample = RedriveSampleSerializer(many=True, help_text="The oldest failures that match.")


class RedriveResultSerializer(serializers.Serializer[Entry]):
    """The result of a redrive job for one failure."""

    failure = serializers.UUIDField(source="pk")
    name = serializers.CharField(source="failure.name")
    result = serializers.ChoiceField(choices=RedriveResult.choices)
    attempt = serializers.IntegerField(
        source="attempt.number", allow_null=True, default=None, help_text="The number of the attempt."
    )
    ended_at = serializers.DateTimeField(source="attempt.ended_at", allow_null=True, default=None)
    error_type = serializers.CharField(source="attempt.error_type", default="")
    error_message = serializers.CharField(source="attempt.localized_message", default="")


class RedriveFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=RedriveStatus.choices)

    class Meta:
        model = Redrive
        fields = ["status", "action"]


class RedriveViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    """Redrives: background jobs that retry or discard the selected failures, each failure once."""

    queryset = Redrive.objects.all()
    serializer_class = RedriveSerializer
    filterset_class = RedriveFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "dlq:read", "POST": "dlq:write"}

    @extend_schema(
        operation_id="startRedrive",
        request=StartRedriveSerializer,
        responses={200: RedrivePreviewSerializer, 201: RedriveSerializer, **START_ERRORS},
    )
    def create(self, request: Request) -> Response:
        """Preview or start a redrive job.

        A redrive processes the failures that exist and are open when the redrive starts. With `dry_run`, the response
        is 200 and nothing is changed. Otherwise the response is 201 with the redrive, and workers retry the failures.
        """
        serializer = StartRedriveSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        selection = FailureSelection.from_values(data["selection"])
        options = RedriveOptions(**{field.name: data[field.name] for field in fields(RedriveOptions)})
        if data["dry_run"]:
            return Response(
                RedrivePreviewSerializer(services.preview(selection=selection, options=options)).data
            )
        redrive = services.start(selection=selection, options=options)
        return Response(RedriveSerializer(redrive).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="listRedriveResults",
        parameters=[
            OpenApiParameter(
                "result",
                OpenApiTypes.STR,
                enum=RedriveResult.values,
                many=True,
                description="Only entries with these results.",
            )
        ],
        responses=RedriveResultSerializer(many=True),
        filters=False,
    )
    @action(detail=True, methods=["get"])
    def results(self, request: Request, pk: str) -> Response:
        """List what a redrive job did with each failure, newest failure first."""
        refuse_unknown_parameters(request, {"result", *pagination_parameters(self)})
        wanted = request.query_params.getlist("result")
        if unknown := sorted(set(wanted) - set(RedriveResult.values)):
            raise ValidationError(
                {"result": [f"{unknown[0]} is not one of: {', '.join(RedriveResult.values)}."]}
            )
        entries: Any = Entries(self.get_object(), frozenset(wanted))
        page: Any = self.paginate_queryset(entries)
        return self.get_paginated_response(RedriveResultSerializer(page, many=True).data)

    @extend_schema(request=None, responses={200: RedriveSerializer, **STATE_ERRORS})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a redrive job. Retries that no worker has begun are withdrawn until the redrive is resumed."""
        return Response(RedriveSerializer(services.pause(redrive_id=self.get_object().id)).data)

    @extend_schema(request=None, responses={200: RedriveSerializer, **STATE_ERRORS})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a paused redrive job."""
        return Response(RedriveSerializer(services.resume(redrive_id=self.get_object().id)).data)

    @extend_schema(request=None, responses={200: RedriveSerializer, **STATE_ERRORS})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a redrive job. Retries that no worker has begun are withdrawn."""
        return Response(RedriveSerializer(services.cancel(redrive_id=self.get_object().id)).data)


router = SimpleRouter()
router.register("dlq/redrives", RedriveViewSet, basename="redrive")
urlpatterns = router.urls
