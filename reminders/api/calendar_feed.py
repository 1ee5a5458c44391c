"""/api/v1/reservations.ics: the availability of the hotel's rooms as an iCalendar feed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.conditional import ETAG
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelAPIView
from locks.models import MAX_ROOM_ID
from reminders.reservations.calendars import feed
from tenants.access import api_keys
from tenants.access.authentication import ApiClient, ApiKeyAuthentication
from tenants.models import ApiKey

SCOPE = "calendar:read"
_TOKEN_DESCRIPTION = f"An API key of this hotel whose only scope is `{SCOPE}`."


class QueryTokenAuthentication(ApiKeyAuthentication):
    """Authentication with an API key in the query string (`?token=ha_...`), because calendar apps can't send headers.

    URLs are shared and logged, so keys that permit more than reading this feed are rejected.
    """

    def authenticate(self, request: Request) -> tuple[ApiClient, ApiKey] | None:
        token = request.query_params.get("token")
        if token is None:
            return super().authenticate(request)
        key = api_keys.verify(token.strip())
        if key is None or set(key.scopes) != {SCOPE}:
            raise AuthenticationFailed(
                f"The token must be an active API key of this hotel whose only scope is {SCOPE}."
            )
        api_keys.record_use(key)
        return ApiClient(key), key


class QueryTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The OpenAPI security scheme of `QueryTokenAuthentication`."""

    target_class = QueryTokenAuthentication
    name = "calendarKey"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "query", "name": "token", "description": _TOKEN_DESCRIPTION}


class CalendarRenderer(BaseRenderer):
    """A renderer that returns iCalendar bytes unchanged. Error responses are rendered as JSON."""

    media_type = "text/calendar"
    format = "ics"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        content: bytes = data if isinstance(data, bytes) else JSONRenderer().render(data)
        return content


class FeedQuerySerializer(StrictSerializer):
    token = serializers.CharField(required=False, help_text=_TOKEN_DESCRIPTION)
    room = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_ROOM_ID,
        help_text="Only this room: the id of a room (`/api/v1/rooms/`).",
    )
    room_type = serializers.CharField(
        required=False,
        max_length=40,
        help_text="Only this room type: the nights on which none of its rooms is left.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "room" in attrs and "room_type" in attrs:
            raise serializers.ValidationError(_("Use only one of the parameters room and room_type."))
        return attrs


class CalendarFeedView(HotelAPIView):
    """The availability of the hotel's rooms as an iCalendar feed."""

    required_scopes = {"GET": SCOPE}
    personal_data = ""  # The feed contains no personal data of guests.
    authentication_classes = [QueryTokenAuthentication, *HotelAPIView.authentication_classes]
    renderer_classes = [CalendarRenderer, *HotelAPIView.renderer_classes]

    @extend_schema(
        operation_id="getCalendarFeed",
        tags=["reservations"],
        parameters=[FeedQuerySerializer, ETAG],
        responses={
            (200, "text/calendar"): OpenApiTypes.STR,
            **problem_responses((404, "There is no such room or room type (`/problems/room-not-found`).")),
        },
    )
    def get(self, request: Request) -> Response:
        """Get the nights that are not for sale as an iCalendar feed.

        Give this URL to a channel, with `room` or `room_type`, or subscribe to the URL in a calendar app. The feed
        contains the nights of stays, of holds that have not expired, and of closures (nights on which a room is out of
        service). Without `room` and `room_type`, the feed contains the nights of all rooms and of reservations without
        a room. The feed never contains guest data.
        """
        query = FeedQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        if (room := query.validated_data.get("room")) is not None:
            content = feed.room_feed(room)
        elif room_type := query.validated_data.get("room_type"):
            content = feed.room_type_feed(room_type)
        else:
            content = feed.hotel_feed()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return Response(content, headers={"ETag": etag, "Cache-Control": "private, max-age=300"})
