"""The REST API of webhooks: /api/v1/webhooks/."""

import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.conditional import ETAG, IF_MATCH, PRECONDITION_FAILED, version_of
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictMixin, StrictSerializer
from hotelagent.rest.views import UUID_REGEX, EditableMixin, HotelAPIView, HotelViewSet
from locks.webhooks import policy, services
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook

_INVALID_URL = (422, "`/problems/invalid-webhook-url`.")
_NOT_FOUND = (404, "`/problems/webhook-not-found`.")


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
        choices=WebhookEvent.choices, allow_empty=False, help_text="The events to send to this webhook."
    )
    url = serializers.CharField(
        max_length=500,
        help_text="An https URL on the public internet. It must respond with a 2xx status within ten seconds.",
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
                "help_text": "Whether events are sent to this webhook. If you set it to `false`, new events are not "
                "sent, and pending deliveries are kept until you set it to `true` again."
            },
            "failing_since": {
                "help_text": "The time of the first failed attempt since the last successful one, or `null`."
            },
            "previous_secret_expires_at": {
                "help_text": "Until this time, requests are also signed with the secret before the last rotation."
            },
        }

    def to_representation(self, instance: Webhook) -> dict[str, Any]:
        return {**super().to_representation(instance), "events": sorted(instance.events)}


class WebhookWithSecretSerializer(WebhookSerializer):
    secret = serializers.CharField(
        read_only=True,
        help_text="The signing secret, with which you verify signatures. It begins with `whsec_` and is shown only "
        "in this response.",
    )

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]


class RotateWebhookSecretSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        default=policy.DEFAULT_OVERLAP_HOURS,
        min_value=0,
        max_value=policy.MAX_OVERLAP_HOURS,
        help_text="Number of hours for which the previous secret stays valid. Use 0 if it has leaked.",
    )


class WebhookTestSerializer(serializers.Serializer[Any]):
    delivered = serializers.BooleanField(help_text="Whether your server responded with a 2xx status.")
    status_code = serializers.IntegerField(
        allow_null=True, help_text="The HTTP status of the response, or `null` if there was no response."
    )
    error = serializers.CharField(help_text="Why there was no response. Empty if there was one.")
    duration_ms = serializers.IntegerField(help_text="Duration of the request in milliseconds.")


class WebhookViewSet(IdempotentMixin, EditableMixin, mixins.ListModelMixin, HotelViewSet):
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
            201: WebhookWithSecretSerializer,
            **problem_responses(_INVALID_URL, (409, "`/problems/too-many-webhooks`.")),
        },
    )
    def create(self, request: Request) -> Response:
        """Create a webhook.

        Each event that you subscribe to is sent as a POST request that follows
        [Standard Webhooks](https://www.standardwebhooks.com). Its headers and body are described under `webhooks` in
        this document.

        Events are sent at least once and may arrive late or out of order. Store the `webhook-id` of requests that you
        have processed to detect duplicates, and compare `fencing_token` and `timestamp` to detect older events.
        """
        serializer = WebhookSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        webhook, secret = services.create_webhook(
            url=fields["url"], event_types=list(fields["events"]), active=fields.get("active", True)
        )
        return _response_with_secret(webhook, secret, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        request=WebhookSerializer,
        parameters=[IF_MATCH],
        responses={200: WebhookSerializer, **problem_responses(_INVALID_URL, PRECONDITION_FAILED)},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Update a webhook."""
        serializer = WebhookSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        with self.changeable_object() as stored:
            webhook = services.update_webhook(stored, changes=serializer.validated_data)
        return self.resource_response(webhook)

    @extend_schema(parameters=[IF_MATCH], responses={204: None, **problem_responses(PRECONDITION_FAILED)})
    def destroy(self, _request: Request, pk: str) -> Response:
        """Delete a webhook and its deliveries."""
        with self.changeable_object() as stored:
            services.delete_webhook(stored)
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookTestView(HotelAPIView):
    resource_name = "webhook"
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="testWebhook",
        request=None,
        responses={200: WebhookTestSerializer, **problem_responses(_NOT_FOUND)},
    )
    def post(self, _request: Request, pk: UUID) -> Response:
        """Send a test event to a webhook.

        The event has the type `webhook.test` and empty `data`. It is sent immediately and once, even if the webhook
        is not active. The response contains the status that your server returned.
        """
        return Response(WebhookTestSerializer(services.send_test_delivery(pk)).data)


class RotateSecretView(IdempotentMixin, HotelAPIView):
    resource_name = "webhook"
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="rotateWebhookSecret",
        parameters=[ETAG],
        request=RotateWebhookSecretSerializer,
        responses={200: WebhookWithSecretSerializer, **problem_responses(_NOT_FOUND)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Rotate the signing secret of a webhook.

        Until `previous_secret_expires_at`, requests are signed with both the new and the previous secret, so you can
        switch to the new secret at any time. If you rotate again before that time, the older secret becomes invalid
        immediately.
        """
        serializer = RotateWebhookSecretSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        overlap = datetime.timedelta(hours=serializer.validated_data["overlap_hours"])
        webhook, secret = services.rotate_secret(pk, overlap=overlap)
        return _response_with_secret(webhook, secret, status_code=status.HTTP_200_OK)


def _response_with_secret(webhook: Webhook, secret: str, *, status_code: int) -> Response:
    body: Any = WebhookSerializer(webhook).data
    # The ETag is computed without the secret, so it equals the ETag of responses that do not contain the secret.
    headers = {"ETag": f'"{version_of(body)}"'}
    return Response({**body, "secret": secret}, status=status_code, headers=headers)
