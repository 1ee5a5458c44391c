"""/api/v1/reservations.ics: the hotel's stays as an iCalendar feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.views import HotelAPIView
from reminders.reservations.calendars import feed
from tenants.access import api_keys
from tenants.access.authentication import ApiClient, ApiKeyAuthentication
from tenants.context import current_hotel
from tenants.models import ApiKey

SCOPE = "calendar:read"
_TOKEN_DESCRIPTION = f"An API key of this hotel whose only scope is `{SCOPE}`."


class QueryTokenAuthentication(ApiKeyAuthentication):
    """Authentication by an API key in the query string (`?token=ha_...`), because calendar apps can't send headers.

    URLs are shared and logged, so keys that allow more than reading this feed are rejected.
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


class CalendarFeedView(HotelAPIView):
    """The hotel's stays as an iCalendar feed."""

    required_scopes = {"GET": SCOPE}
    authentication_classes = [QueryTokenAuthentication, *HotelAPIView.authentication_classes]
    renderer_classes = [CalendarRenderer, *HotelAPIView.renderer_classes]

    @extend_schema(
        operation_id="reservations_calendar",
        tags=["reservations"],
        parameters=[
            OpenApiParameter("token", str, description=_TOKEN_DESCRIPTION),
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="The `ETag` of the version that you have.",
            ),
        ],
        responses={
            (200, "text/calendar"): OpenApiTypes.STR,
            304: OpenApiResponse(description="The feed has not changed."),
        },
    )
    def get(self, request: Request) -> Response:
        """Get the stays as an iCalendar feed.

        Subscribe to this URL in a calendar app. The feed contains no guest data. Stays are listed until a month after
        the departure, cancelled ones with the status `CANCELLED`.
        """
        stays = feed.feed_stays()
        etag = f'"{feed.feed_version(stays)}"'
        headers = {"ETag": etag, "Cache-Control": "private, max-age=300"}
        if request.headers.get("If-None-Match") == etag:
            return Response(b"", status=status.HTTP_304_NOT_MODIFIED, headers=headers)
        return Response(feed.render_feed(stays.iterator(), hotel=current_hotel()), headers=headers)
