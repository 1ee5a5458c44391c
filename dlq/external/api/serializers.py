"""The serializers of the API with which other systems report and process failures.

CloudEvents have a separate module.
"""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from dlq.error_reports import MAX_MESSAGE_LENGTH, MAX_TRACEBACK_LENGTH, MAX_TYPE_LENGTH, report_texts
from dlq.external.reports import MAX_ORDERING_KEY_LENGTH, Report
from dlq.kinds.namespaces import MAX_KIND_LENGTH, kind_of
from dlq.models import Failure, FailureStatus
from hotelagent.rest.serializers import ReadOnlySerializer, StrictSerializer

MAX_KINDS = 50
MAX_CLAIMED = 100
MAX_LEASE_SECONDS = 3600
_ERROR_TYPE = "The type of the error, such as its class or code."
_ERROR_MESSAGE = "The error message. E-mail addresses, phone numbers and secrets are redacted."
_RETRY = "False if a retry cannot succeed. The failure then waits for a person."
_NUMBER_HELP = "The fencing token of the attempt, from the response to the claim."
_FAILURE_ID = "01a203e7-7538-7000-b926-fbd8a9dddc9d"


class ErrorSerializer(StrictSerializer):
    """The error that another system reports."""

    error_type = serializers.CharField(max_length=MAX_TYPE_LENGTH, help_text=_ERROR_TYPE)
    error_message = serializers.CharField(
        max_length=MAX_MESSAGE_LENGTH, allow_blank=True, help_text=_ERROR_MESSAGE
    )
    traceback = serializers.CharField(
        max_length=MAX_TRACEBACK_LENGTH, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    retry = serializers.BooleanField(default=True, help_text=_RETRY)

    @property
    def error(self) -> Any:
        values = self.validated_data
        return report_texts(
            type=values["error_type"], message=values["error_message"], traceback=values["traceback"]
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A booking that could not be stored",
            value={
                "name": "booking.created",
                "payload": {"booking": "B-1042", "nights": 3},
                "error_type": "Timeout",
                "error_message": "The PMS did not respond within 30 seconds.",
                "ordering_key": "B-1042",
            },
            request_only=True,
            media_type="application/json",
        )
    ]
)
class ReportFailureSerializer(ErrorSerializer):
    """A failure that another system reports."""

    name = serializers.CharField(
        max_length=MAX_KIND_LENGTH,
        help_text="The kind of the message. The name of the failure is `external:<name of the API key>:<kind>`.",
    )
    payload = serializers.DictField(help_text="The data that a retry needs, and no other data.")
    ordering_key = serializers.CharField(
        max_length=MAX_ORDERING_KEY_LENGTH,
        required=False,
        default="",
        allow_blank=True,
        help_text="Failures with the same ordering key, for example a booking, are processed one at a time, oldest "
        "first.",
    )

    def report(self) -> Report:
        values = self.validated_data
        return Report(
            kind=values["name"],
            payload=values["payload"],
            error=self.error,
            retry=values["retry"],
            ordering_key=values["ordering_key"],
        )


class _LeaseSerializer(StrictSerializer):
    lease_seconds = serializers.IntegerField(
        default=60,
        min_value=1,
        max_value=MAX_LEASE_SECONDS,
        help_text="The lease, in seconds. Report the result or extend the lease before its end.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two kinds",
            value={"kinds": ["booking.created", "booking.cancelled"], "limit": 10, "lease_seconds": 120},
            request_only=True,
        )
    ]
)
class ClaimFailuresSerializer(_LeaseSerializer):
    """The request of a client that claims failures."""

    kinds = serializers.ListField(
        child=serializers.CharField(max_length=MAX_KIND_LENGTH),
        min_length=1,
        max_length=MAX_KINDS,
        help_text="The kinds to claim, as they were reported (`name`, or `type` of a CloudEvent).",
    )
    limit = serializers.IntegerField(
        default=1, min_value=1, max_value=MAX_CLAIMED, help_text="The maximum number of failures."
    )
    idempotent = serializers.BooleanField(
        default=False,
        help_text="True if the work can safely be done twice. If the lease expires, the failure is then retried. "
        "Otherwise it is in doubt and waits for a person.",
    )


class ClaimedFailureSerializer(ReadOnlySerializer[Failure]):
    id = serializers.UUIDField()
    kind = serializers.SerializerMethodField()
    fencing_token = serializers.IntegerField(
        source="attempt", help_text="Send it along with each request about this attempt."
    )
    lease_until = serializers.DateTimeField(source="claimed_until", help_text="The end of the lease.")
    idempotency_key = serializers.CharField(
        source="id", help_text="A text that is the same for all attempts to do this work."
    )
    payload = serializers.JSONField(
        help_text="The payload as it was reported or corrected, or the CloudEvent."
    )
    traceparent = serializers.SerializerMethodField(
        help_text="The trace that the CloudEvent belongs to (W3C Trace Context), or null. Continue this trace."
    )
    tracestate = serializers.SerializerMethodField(help_text="The `tracestate` of the CloudEvent, or null.")
    retries = serializers.IntegerField(help_text="The number of retries, including this attempt.")
    error_type = serializers.CharField(help_text="The type of the latest error.")
    error_message = serializers.CharField(help_text="The latest error message, redacted.")
    created_at = serializers.DateTimeField()

    def get_kind(self, failure: Failure) -> str:
        return kind_of(failure.name)

    def get_traceparent(self, failure: Failure) -> str | None:
        return _attribute(failure, "traceparent")

    def get_tracestate(self, failure: Failure) -> str | None:
        return _attribute(failure, "tracestate")


class ClaimedFailuresSerializer(ReadOnlySerializer[Any]):
    entries = ClaimedFailureSerializer(many=True)


@extend_schema_serializer(
    examples=[OpenApiExample("Another two minutes", value={"fencing_token": 3, "lease_seconds": 120})]
)
class ExtendLeaseSerializer(_LeaseSerializer):
    """The request of a handler to extend the lease of a failure."""

    fencing_token = serializers.IntegerField(min_value=1, max_value=32767, help_text=_NUMBER_HELP)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Extended",
            value={"id": _FAILURE_ID, "fencing_token": 3, "lease_until": "2031-07-01T14:02:00Z"},
            response_only=True,
        )
    ]
)
class FailureLeaseSerializer(ReadOnlySerializer[Any]):
    id = serializers.UUIDField()
    fencing_token = serializers.IntegerField()
    lease_until = serializers.DateTimeField(help_text="The end of the lease.")


class FailureStateSerializer(ReadOnlySerializer[Failure]):
    """The state of a failure after an attempt, without its payload."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=FailureStatus.choices)
    retries = serializers.IntegerField(help_text="The number of retries.")
    next_retry_at = serializers.DateTimeField(
        allow_null=True, help_text="The failure can be claimed again after this time."
    )
    closed_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(examples=[OpenApiExample("The work is done", value={"fencing_token": 3})])
class AcknowledgeFailureSerializer(StrictSerializer):
    """The report that the handler of another system has done the work of the failure."""

    fencing_token = serializers.IntegerField(min_value=1, max_value=32767, help_text=_NUMBER_HELP)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Another retry may succeed",
            value={
                "fencing_token": 3,
                "error_type": "Timeout",
                "error_message": "The PMS did not respond within 30 seconds.",
            },
            request_only=True,
        ),
        OpenApiExample(
            "No retry can succeed",
            value={
                "fencing_token": 3,
                "error_type": "BookingNotFound",
                "error_message": "The booking does not exist.",
                "retry": False,
            },
            request_only=True,
        ),
    ]
)
class FailedAttemptSerializer(ErrorSerializer):
    """The report that the handler of another system could not process the failure, with the error."""

    fencing_token = serializers.IntegerField(min_value=1, max_value=32767, help_text=_NUMBER_HELP)


def _attribute(failure: Failure, name: str) -> str | None:
    """Return a text attribute of the CloudEvent that is the payload of the failure, or None."""
    payload = failure.payload
    value = payload.get(name) if isinstance(payload, dict) and "specversion" in payload else None
    return value if isinstance(value, str) else None
