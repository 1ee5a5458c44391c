"""/api/v1/reservations.ics and /api/v1/reservations/import-calendar/: calendars out and in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelAPIView
from reminders.reservations.calendars import exporting
from reminders.reservations.calendars.authentication import SCOPE, CalendarKeyAuthentication
from reminders.reservations.calendars.importing import import_calendar
from tenants.context import current_hotel


class CalendarParser(BaseParser):
    """A body that is a calendar, as if it stood in JSON."""

    media_type = "text/calendar"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        return {"calendar": stream.read().decode("utf-8", errors="replace")}


class CalendarRenderer(BaseRenderer):
    media_type = "text/calendar"
    format = "ics"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        written: bytes = data if isinstance(data, bytes) else JSONRenderer().render(data)  # a problem
        return written


class CalendarSerializer(StrictSerializer):
    calendar = serializers.CharField(trim_whitespace=False, help_text="The calendar's text (RFC 5545).")


class RefusedEventSerializer(StrictSerializer):
    uid = serializers.CharField(help_text="Of the event, as far as it has one.")
    detail = serializers.CharField(help_text="Why it can't be a booking.")


class CalendarReportSerializer(StrictSerializer):
    events = serializers.IntegerField(help_text="All of them: the sum of the others.")
    stored = serializers.IntegerField(help_text="New reservations.")
    changed = serializers.IntegerField(
        help_text="Reservations with other days than before, or taken up again."
    )
    cancelled = serializers.IntegerField(help_text="Reservations that the calendar calls off.")
    unchanged = serializers.IntegerField()
    blocks = serializers.IntegerField(help_text="Closed nights, such as “Not available”: nobody comes.")
    refused = RefusedEventSerializer(many=True)
    without_room = RefusedEventSerializer(
        many=True, help_text="At a room's own address: stored, but the room is taken on those nights."
    )
    vanished = serializers.IntegerField(
        help_text="At a room's own address: reservations that are gone from the calendar, and are cancelled."
    )
    closed = serializers.IntegerField(
        help_text="At a room's own address: nights on which the room is closed."
    )


class ImportCalendarView(IdempotentMixin, HotelAPIView):
    """A channel manager's calendar."""

    required_scopes = {"POST": "reservations:write"}
    parser_classes = [JSONParser, CalendarParser]

    @extend_schema(
        operation_id="reservations_import_calendar",
        request={"application/json": CalendarSerializer, "text/calendar": OpenApiTypes.STR},
        responses={
            200: CalendarReportSerializer,
            **problem_responses((422, "It is no calendar (`/problems/invalid-file`).")),
        },
    )
    def post(self, request: Request) -> Response:
        """Bring in an iCalendar: each event is a reservation, its UID the number.

        Sent again, it changes nothing. What the hotel knows of a guest is kept.
        """
        given = CalendarSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        report = import_calendar(given.validated_data["calendar"].encode())
        return Response(asdict(report))


class CalendarView(HotelAPIView):
    """The hotel's stays, for a calendar program."""

    required_scopes = {"GET": SCOPE}
    authentication_classes = [CalendarKeyAuthentication, *HotelAPIView.authentication_classes]
    renderer_classes = [CalendarRenderer, *HotelAPIView.renderer_classes]

    @extend_schema(
        operation_id="reservations_calendar",
        tags=["reservations"],
        parameters=[
            OpenApiParameter("token", str, description=f"A key with the scope `{SCOPE}` and no other."),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The last `ETag`."),
        ],
        responses={
            (200, "text/calendar"): OpenApiTypes.STR,
            304: OpenApiResponse(description="It is as you know it."),
        },
    )
    def get(self, request: Request) -> Response:
        """Read the stays as an iCalendar, without guests: for a calendar program to subscribe to.

        Stays are shown until a month after the departure, cancelled ones as cancelled.
        """
        stays = exporting.shown()
        tag = f'"{exporting.version(stays)}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
        if request.headers.get("If-None-Match") == tag:
            return Response(b"", status=status.HTTP_304_NOT_MODIFIED, headers=headers)
        return Response(exporting.calendar(stays.iterator(), hotel=current_hotel()), headers=headers)
