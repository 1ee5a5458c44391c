"""The REST API that pauses and resumes retries of failures, at /api/v1/dlq/pauses/."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dlq.retention import pauses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelAPIView


class RetryPausesSerializer(serializers.Serializer[Any]):
    all_kinds = serializers.BooleanField(help_text="Whether all retries are paused.")
    kinds = serializers.ListField(
        child=serializers.CharField(), help_text="The names of the failures whose retries are paused."
    )


class RetryPauseSerializer(StrictSerializer):
    kind = serializers.CharField(
        max_length=pauses.MAX_NAME_LENGTH,
        required=False,
        default="",
        allow_blank=True,
        help_text="The name of the failures, such as `reminders.send`. Omit the kind to pause or resume all retries.",
    )


class PausesView(HotelAPIView):
    required_scopes = {"GET": "dlq:read", "POST": "dlq:write"}

    @extend_schema(operation_id="getRetryPauses", responses=RetryPausesSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the pauses of retries."""
        return _current()

    @extend_schema(operation_id="pauseRetries", request=RetryPauseSerializer, responses=RetryPausesSerializer)
    def post(self, request: Request) -> Response:
        """Pause retries.

        Failures are captured during the pause, but none is retried. Retries that are running end normally. If the
        retry of a failure becomes due during the pause, the age limit of 7 days begins again when retries are resumed.
        """
        pauses.pause(name=_kind(request))
        return _current()


class ResumeView(HotelAPIView):
    required_scopes = {"POST": "dlq:write"}

    @extend_schema(
        operation_id="resumeRetries", request=RetryPauseSerializer, responses=RetryPausesSerializer
    )
    def post(self, request: Request) -> Response:
        """Resume paused retries.

        The retries that became due during the pause are made one after the other, 20 per second. The age limit of 7
        days begins again for the failures of these retries.
        """
        pauses.resume(name=_kind(request))
        return _current()


def _kind(request: Request) -> str:
    serializer = RetryPauseSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    kind: str = serializer.validated_data["kind"]
    return kind


def _current() -> Response:
    current = pauses.current_pauses()
    return Response({"all_kinds": current.all_kinds, "kinds": list(current.kinds)})


urlpatterns = [
    path("dlq/pauses/", PausesView.as_view(), name="failure-pauses"),
    path("dlq/pauses/resume/", ResumeView.as_view(), name="failure-pauses-resume"),
]
