"""The payloads of failures over REST: responses with the payload, and the operation that corrects it."""

from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from dlq.corrections import patches
from dlq.corrections.display import show_payload
from dlq.corrections.services import correct_and_retry
from dlq.errors import InvalidPayload, VersionRequired
from dlq.models import Failure
from hotelagent.rest.conditional import ENTITY_TAGS, Preconditions
from hotelagent.rest.errors import MissingScope
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelViewSet

VIEW_SCOPE = "dlq:payload"
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    pattern=ENTITY_TAGS,
    required=True,
    description="The `ETag` of the failure that you have read, a list of ETags, or `*` to overwrite the corrections of "
    "others.",
)


CORRECTION_ERRORS = problem_responses(
    (409, "`/problems/failure-state-error`: the failure is being retried, resolved or discarded."),
    (412, "`/problems/failure-conflict`: the version differs from `If-Match`."),
    (422, "`/problems/invalid-payload` or `/problems/invalid-patch`. `errors` names the fields."),
    (428, "`/problems/version-required`: the header `If-Match` is missing."),
)


class PayloadSerializer(serializers.ModelSerializer[Failure]):
    """A failure with its payload. The view sets the attribute `shown_payload` on the failure."""

    payload = serializers.JSONField(
        source="shown_payload.current",
        read_only=True,
        help_text="The payload of the next attempt. Secret values are `[secret]`. Without the scope "
        "`dlq:payload`, values that may be personal are `•••`.",
    )
    payload_is_masked = serializers.BooleanField(
        source="shown_payload.is_masked",
        read_only=True,
        help_text="True if the credentials lack the scope `dlq:payload`.",
    )
    original_payload = serializers.JSONField(
        source="shown_payload.original",
        read_only=True,
        help_text="The payload that was captured, if the payload was corrected. Otherwise null.",
    )
    correction = serializers.JSONField(
        source="shown_payload.patch",
        read_only=True,
        help_text="The JSON Patch (RFC 6902) from `original_payload` to `payload`, if the payload was corrected. "
        "Otherwise null.",
    )

    class Meta:
        model = Failure
        fields: Any = ["payload", "payload_is_masked", "original_payload", "correction"]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A JSON Patch",
            value={"patch": [{"op": "replace", "path": "/to", "value": "ana@guests.example.com"}]},
            request_only=True,
        )
    ]
)
class CorrectFailureSerializer(StrictSerializer):
    schema_keywords = {"minProperties": 1, "maxProperties": 1}

    payload = serializers.DictField(
        required=False,
        help_text="The complete corrected payload. Values that are `[secret]` stay unchanged.",
    )
    patch = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        max_length=patches.MAX_OPERATIONS,
        help_text="A JSON Patch (RFC 6902) that changes the current payload.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(_("Send either `payload` or `patch`."))
        return attrs


class PayloadMixin(HotelViewSet):
    """Mixin that lets clients read and correct the payload of a failure.

    The view set defines `detail_serializer`, a subclass of `PayloadSerializer`.
    """

    detail_serializer: type[PayloadSerializer]

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if self.action == "correct" and "dlq:write" not in getattr(request.user, "scopes", ()):
            raise MissingScope("dlq:write")

    def detail_response(self, failure: Failure, status_code: int = status.HTTP_200_OK) -> Response:
        """Return a response with the failure, its payload and its `ETag`.

        An audit event records that the payload was shown.
        """
        may_view = VIEW_SCOPE in getattr(self.request.user, "scopes", ())
        vars(failure)["shown_payload"] = show_payload(failure, may_view=may_view)
        body: Any = self.detail_serializer(failure).data
        return Response(body, status=status_code, headers={"ETag": f'"{failure.version}"'})

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get a failure with its payload and its attempts.

        The `ETag` identifies the version of the failure. If the response contains personal data, which requires the
        scope `dlq:payload`, the audit trail records that the payload was viewed.
        """
        return self.detail_response(self.get_object())

    @action(detail=True, methods=["post"], required_scopes={"POST": VIEW_SCOPE})
    def correct(self, request: Request, pk: str) -> Response:
        """Correct the payload of a failure, and retry the failure.

        The failure must be scheduled, permanent or in doubt. The corrected payload must match the JSON Schema
        of the kind of failure. All further attempts use the corrected payload. The captured payload is kept.
        The operation also requires the scope `dlq:write`.
        """
        preconditions = Preconditions.of(request)
        if not preconditions.if_match:
            raise VersionRequired
        serializer = CorrectFailureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        failure = self.get_object()
        change = partial(_change, serializer.validated_data)
        try:
            correct_and_retry(failure_id=failure.id, may_change=preconditions.allow, change=change)
        except InvalidPayload as error:
            raise InvalidPayload(error.detail, errors={"payload": _nested(error.extra["errors"])}) from error
        return self.detail_response(self.get_object(), status.HTTP_202_ACCEPTED)


def _change(correction: dict[str, Any], current: Any) -> Any:
    """Return the corrected payload that the client sent, or the result of the JSON Patch that the client sent."""
    return patches.apply(correction["patch"], current) if "patch" in correction else correction["payload"]


def _nested(errors: dict[str, list[str]]) -> dict[str, Any]:
    """Convert errors with paths such as `card.number` to nested dicts, so that each error gets a JSON Pointer."""
    nested: dict[str, Any] = {}
    for path, messages in errors.items():
        *parents, name = [""] if path == "payload" else path.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name or api_settings.NON_FIELD_ERRORS_KEY] = messages
    return nested
