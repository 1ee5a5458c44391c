"""Failures as other systems see and report them."""

from typing import Any

from rest_framework import serializers

from dlq.models import Attempt, Failure
from dlq.reports import MESSAGE_LIMIT, TRACEBACK_LIMIT
from hotelagent.rest.serializers import StrictSerializer

_MESSAGE = "What the error said. A sentence of ours is in the language of `Accept-Language`."


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    error_message = serializers.CharField(source="why", read_only=True, help_text=_MESSAGE)

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
        ]
        read_only_fields = fields


class FailureSerializer(serializers.ModelSerializer[Failure]):
    error_message = serializers.CharField(source="why", read_only=True, help_text=_MESSAGE)

    class Meta:
        model = Failure
        fields: Any = [
            "id",
            "kind",
            "source",
            "name",
            "status",
            "error_type",
            "error_message",
            "fingerprint",
            "attempts",
            "occurrences",
            "next_retry_at",
            "expires_at",
            "created_at",
            "last_seen_at",
            "discard_reason",
        ]
        read_only_fields = fields


class FailureDetailSerializer(FailureSerializer):
    tries = AttemptSerializer(
        many=True, read_only=True, help_text="Every attempt; number 0 is the first failure."
    )

    class Meta(FailureSerializer.Meta):
        fields = [*FailureSerializer.Meta.fields, "payload", "traceback", "tries"]
        read_only_fields = fields


class ReportSerializer(StrictSerializer):
    """A message that another system could not deliver or process."""

    # Not the serializer's own `source`, which the name hides from the type checker only.
    source = serializers.CharField(max_length=100, help_text="The system that reports it.")  # type: ignore[assignment]
    name = serializers.CharField(
        max_length=150, help_text="The type of message, the same for all of its kind."
    )
    payload = serializers.DictField(help_text="What sending it again needs, and no more.")
    error_type = serializers.CharField(
        max_length=150, help_text="The kind of error, such as its class or code."
    )
    error_message = serializers.CharField(
        max_length=MESSAGE_LIMIT,
        help_text="What it said. E-mail addresses, phones and secrets are taken out.",
    )
    traceback = serializers.CharField(
        max_length=TRACEBACK_LIMIT, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    retry = serializers.BooleanField(
        default=True, help_text="False where trying again can't help: it then waits for a person."
    )


class DiscardSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300, help_text="Why it need not be sent again.")
