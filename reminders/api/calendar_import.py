"""/api/v1/reservations/import-calendar/: the import of an iCalendar file."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.parsers import JSONParser
from hotelagent.rest.response_headers import JOB_HEADERS
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelAPIView
from reminders.api.imports import ImportSerializer, accepted
from reminders.models import ImportKind
from reminders.reservations.calendars.content import (
    MAX_BYTES,
    MAX_EVENTS_IN_REQUEST,
    decode,
    read_calendar,
)
from reminders.reservations.calendars.event_import import import_content


class CalendarParser(BaseParser):
    """A parser that converts a `text/calendar` request body to the same data as a JSON request body."""

    media_type = "text/calendar"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        charset = Message()
        charset["Content-Type"] = media_type or self.media_type
        # At most one byte more than the limit is read, with which `decode` refuses the body as too large.
        return {"calendar": decode(stream.read(MAX_BYTES + 1), charset=charset.get_content_charset(""))}


class CalendarSerializer(StrictSerializer):
    calendar = serializers.CharField(
        trim_whitespace=False, help_text="The content of the iCalendar file (RFC 5545)."
    )


class NightsSerializer(StrictSerializer):
    check_in = serializers.DateField(help_text="The first night.")
    check_out = serializers.DateField(help_text="The day after the last night.")


class EventProblemSerializer(StrictSerializer):
    uid = serializers.CharField(help_text="The UID of the event. Empty if it has none.")
    detail = serializers.CharField(help_text="The reason.")
    nights = NightsSerializer(
        many=True, help_text="The nights that the event takes or may take. Empty if its dates can't be read."
    )


class CalendarReportSerializer(StrictSerializer):
    events = serializers.IntegerField(
        help_text="Number of events in the file: the sum of `created`, `updated`, `cancelled`, `unchanged`, "
        "`closures`, `ignored` and the rejected events."
    )
    created = serializers.IntegerField(help_text="Reservations that were created.")
    updated = serializers.IntegerField(help_text="Reservations whose dates changed or that were reinstated.")
    cancelled = serializers.IntegerField(help_text="Reservations that the calendar cancelled.")
    unchanged = serializers.IntegerField(help_text="Events that changed nothing.")
    closures = serializers.IntegerField(help_text="Events such as “Not available”, which are no bookings.")
    ignored = serializers.IntegerField(
        help_text="Events that take no night: those marked as free time (`TRANSP:TRANSPARENT`) and those within a day."
    )
    rejected = EventProblemSerializer(
        many=True,
        help_text="Events that can't be imported as reservations. A linked calendar closes their nights.",
    )
    without_room = EventProblemSerializer(
        many=True,
        help_text="Linked calendars only: bookings that were imported although the room is not available. Those of "
        "their nights on which the room is free are closed.",
    )
    warnings = EventProblemSerializer(
        many=True,
        help_text="Events to look at although they were imported, such as those with a repeated UID.",
    )
    removed = serializers.IntegerField(
        help_text="Linked calendars only: reservations that were cancelled because they are no longer in the calendar."
    )
    closed_nights = serializers.IntegerField(
        help_text="Linked calendars only: nights on which the calendar closes the room."
    )


class ImportCalendarView(IdempotentMixin, HotelAPIView):
    """The endpoint that imports an iCalendar file from a channel manager."""

    required_scopes = {"POST": "reservations:write"}
    parser_classes = [JSONParser, CalendarParser]

    @extend_schema(
        operation_id="importCalendar",
        parameters=[*JOB_HEADERS],
        request={"application/json": CalendarSerializer, "text/calendar": OpenApiTypes.STR},
        responses={
            200: CalendarReportSerializer,
            202: ImportSerializer,
            **problem_responses((422, "Not a valid iCalendar file (`/problems/invalid-file`).")),
        },
    )
    def post(self, request: Request) -> Response:
        """Import an iCalendar file.

        Each event becomes a reservation whose number is the UID of the event. Importing the same file again changes
        nothing. Guest data of existing reservations is kept. Only reservations that were imported from a calendar file
        are changed. The file may have 5 MB as `text/calendar`, or 2.5 MB as JSON.

        Up to 200 events are imported before the response is sent. A file with up to 20,000 events is imported by a
        worker: the response has the status 202, and `Location` is the URL of an import, which shows the progress.
        """
        serializer = CalendarSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        file = serializer.validated_data["calendar"].encode()
        content = read_calendar(file)
        if len(content.events) > MAX_EVENTS_IN_REQUEST:
            return accepted(request, kind=ImportKind.CALENDAR, name="calendar.ics", content=file)
        return Response(import_content(content, max_events=MAX_EVENTS_IN_REQUEST).as_json())
