"""/api/v1/webhooks/: which other systems are told of changes."""

import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictMixin, StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelAPIView, HotelViewSet
from locks.webhooks import policy
from locks.webhooks.models import Webhook
from locks.webhooks.services import (
    create_webhook,
    delete_webhook,
    rotate_secret,
    send_test_delivery,
    update_webhook,
)
from locks.webhooks.topics import TOPICS

_REFUSED = (422, "`/problems/invalid-webhook-url`.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new webhook",
            value={"url": "https://pms.example.com/hooks", "events": ["hold.confirmed", "hold.expired"]},
            request_only=True,
        )
    ]
)
class WebhookSerializer(StrictMixin, serializers.ModelSerializer[Webhook]):
    events = serializers.MultipleChoiceField(
        choices=list(TOPICS.items()), allow_empty=False, help_text="What it is told of."
    )
    url = serializers.CharField(
        max_length=500,
        help_text="An https address on the public internet. It must answer with 2xx in ten seconds.",
    )

    class Meta:
        model = Webhook
        fields = (
            "id",
            "url",
            "events",
            "active",
            "failing_since",
            "previous_secret_expires_at",
            "created_at",
        )
        read_only_fields = ("id", "failing_since", "previous_secret_expires_at", "created_at")
        extra_kwargs = {
            "active": {
                "help_text": "Switched off, it is told of nothing new; what it was still to be told waits, and is "
                "sent once it is on again."
            },
            "previous_secret_expires_at": {
                "help_text": "After a rotation: until then the old secret signs too."
            },
        }

    def to_representation(self, instance: Webhook) -> dict[str, Any]:
        return {**super().to_representation(instance), "events": sorted(instance.events)}


class MadeWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="Shown once: what you verify signatures with. It begins with `whsec_`."
    )

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]


class RotationSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        default=policy.SECRET_OVERLAP_HOURS,
        min_value=0,
        max_value=policy.SECRET_OVERLAP_HOURS_MOST,
        help_text="For so long the old secret signs too; 0 where it has leaked.",
    )


class TestedSerializer(serializers.Serializer[Any]):
    delivered = serializers.BooleanField(help_text="Whether it answered with a status of 200 to 299.")
    status = serializers.IntegerField(allow_null=True, help_text="What it answered.")
    error = serializers.CharField(help_text="Why it gave no answer.")
    milliseconds = serializers.IntegerField()


class WebhookViewSet(
    IdempotentMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    HotelViewSet,
):
    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    lookup_value_regex = UUID_REGEX
    required_scopes = {
        "GET": "webhooks:read",
        "POST": "webhooks:write",
        "PATCH": "webhooks:write",
        "DELETE": "webhooks:write",
    }

    def get_queryset(self) -> QuerySet[Webhook]:
        return Webhook.objects.all()

    @extend_schema(
        request=WebhookSerializer,
        responses={
            201: MadeWebhookSerializer,
            **problem_responses(_REFUSED, (409, "`/problems/too-many-webhooks`.")),
        },
    )
    def create(self, request: Request) -> Response:
        """Make a webhook.

        Each notice is a POST as [Standard Webhooks](https://www.standardwebhooks.com) has it: verify it with one of
        its libraries, or see `webhooks` in this description. It comes at least once, so keep the `webhook-id`s that
        you have dealt with; and it may come late or after a later one, so compare `fencing_token` and `timestamp`.
        """
        new = WebhookSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given = new.validated_data
        webhook, secret = create_webhook(
            url=given["url"], topics=list(given["events"]), active=given.get("active", True)
        )
        shown = {**WebhookSerializer(webhook).data, "secret": secret}
        return Response(shown, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=WebhookSerializer, responses={200: WebhookSerializer, **problem_responses(_REFUSED)}
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a webhook, or switch it on or off."""
        asked = WebhookSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        webhook = update_webhook(self.get_object(), changes=asked.validated_data)
        return Response(WebhookSerializer(webhook).data)

    def perform_destroy(self, instance: Webhook) -> None:
        delete_webhook(instance)


class PingView(HotelAPIView):
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        request=None,
        responses={200: TestedSerializer, **problem_responses((404, "`/problems/webhook-not-found`."))},
    )
    def post(self, _request: Request, pk: UUID) -> Response:
        """Send a test (`ping`) to a webhook now, and see what it answers."""
        return Response(TestedSerializer(send_test_delivery(pk)).data)


class RotateSecretView(IdempotentMixin, HotelAPIView):
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        request=RotationSerializer,
        responses={200: MadeWebhookSerializer, **problem_responses((404, "`/problems/webhook-not-found`."))},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Give a webhook a new secret.

        Until `previous_secret_expires_at` each notice has two signatures, with the new secret and with the old, so that
        you can put the new one in place when you like. A rotation during that time ends the oldest at once.
        """
        asked = RotationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        overlap = datetime.timedelta(hours=asked.validated_data["overlap_hours"])
        webhook, secret = rotate_secret(pk, overlap=overlap)
        return Response({**WebhookSerializer(webhook).data, "secret": secret})
