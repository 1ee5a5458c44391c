"""/api/v1/reservations/import-calendar/: the import of an iCalendar file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelAPIView
from reminders.reservations.calendars.event_import import import_calendar


class CalendarParser(BaseParser):
    """A parser that turns a `text/calendar` body into the same data as the JSON body."""

    media_type = "text/calendar"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        return {"calendar": stream.read().decode("utf-8", errors="replace")}


class CalendarSerializer(StrictSerializer):
    calendar = serializers.CharField(
        trim_whitespace=False, help_text="The content of the iCalendar file (RFC 5545)."
    )


class RejectedEventSerializer(StrictSerializer):
    uid = serializers.CharField(help_text="The UID of the event. Empty if it has none.")
    detail = serializers.CharField(help_text="The reason.")


class CalendarReportSerializer(StrictSerializer):
    events = serializers.IntegerField(
        help_text="Number of events in the file: the sum of `created`, `updated`, `cancelled`, `unchanged`, `closures` "
        "and the rejected events."
    )
    created = serializers.IntegerField(help_text="Reservations that were created.")
    updated = serializers.IntegerField(help_text="Reservations whose dates changed or that were reinstated.")
    cancelled = serializers.IntegerField(help_text="Reservations that the calendar cancelled.")
    unchanged = serializers.IntegerField(help_text="Events that changed nothing.")
    closures = serializers.IntegerField(help_text="Events such as “Not available”, which are no bookings.")
    rejected = RejectedEventSerializer(many=True, help_text="Events that can't be imported.")
    without_room = RejectedEventSerializer(
        many=True,
        help_text="Linked calendars only: bookings that were imported although the room is not available.",
    )
    removed = serializers.IntegerField(
        help_text="Linked calendars only: reservations that were cancelled because they are no longer in the calendar."
    )
    closed_nights = serializers.IntegerField(
        help_text="Linked calendars only: nights on which the calendar closes the room."
    )


class ImportCalendarView(IdempotentMixin, HotelAPIView):
    """The endpoint that imports an iCalendar file of a channel manager."""

    required_scopes = {"POST": "reservations:write"}
    parser_classes = [JSONParser, CalendarParser]

    @extend_schema(
        operation_id="reservations_import_calendar",
        request={"application/json": CalendarSerializer, "text/calendar": OpenApiTypes.STR},
        responses={
            200: CalendarReportSerializer,
            **problem_responses((422, "Not a valid iCalendar file (`/problems/invalid-file`).")),
        },
    )
    def post(self, request: Request) -> Response:
        """Import an iCalendar file.

        Each event becomes a reservation whose number is the UID of the event. Importing the same file again changes
        nothing. Guest data of existing reservations is kept.
        """
        serializer = CalendarSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        report = import_calendar(serializer.validated_data["calendar"].encode())
        return Response(asdict(report))
