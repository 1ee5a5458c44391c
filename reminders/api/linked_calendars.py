"""/api/v1/calendars/: linked calendars. A linked calendar is an iCalendar URL that a channel publishes for a room."""

from __future__ import annotations

import django_filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.conditional import IF_MATCH, PRECONDITION_FAILED
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, EditableMixin, HotelViewSet
from locks.api.rooms import RoomIdFilter
from locks.models import MAX_ROOM_ID
from reminders.api.calendar_import import CalendarReportSerializer
from reminders.models import LinkedCalendar
from reminders.reservations.calendars import services


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A room on Airbnb",
            value={"room": 1, "name": "Airbnb", "url": "https://www.airbnb.com/calendar/ical/1.ics?s=7d1e"},
            request_only=True,
        )
    ]
)
class LinkCalendarSerializer(StrictSerializer):
    room = serializers.IntegerField(min_value=1, max_value=MAX_ROOM_ID, help_text="The id of the room.")
    name = serializers.CharField(max_length=60, help_text="The name of the channel, for your staff.")
    url = serializers.CharField(
        max_length=2000,
        help_text="The iCalendar URL that the channel gives for this room (`https` or `webcal`). It is never returned.",
    )
    import_closures = serializers.BooleanField(
        default=True,
        help_text="Whether the room is closed on nights that the channel marks “Not available”. Booking.com "
        "also marks its own bookings “Not available”.",
    )


class LinkedCalendarSerializer(serializers.ModelSerializer[LinkedCalendar]):
    room_number = serializers.CharField(source="room.number", read_only=True)
    last_error = serializers.CharField(
        source="error_message",
        read_only=True,
        help_text="Why the last import failed, and what to do. Empty if it succeeded.",
    )
    last_report = CalendarReportSerializer(
        source="report",
        read_only=True,
        allow_null=True,
        help_text="The result of the last import. Null before the first one.",
    )

    class Meta:
        model = LinkedCalendar
        fields = (
            "id", "room", "room_number", "name", "import_closures", "host", "last_attempt_at", "last_success_at",
            "consecutive_failures", "last_error", "last_report",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs = {
            "host": {"help_text": "The host of the URL. The rest of the URL is secret."},
            "last_attempt_at": {"help_text": "Time of the last import, whether it succeeded or not."},
            "last_success_at": {"help_text": "Time of the last import that succeeded."},
            "consecutive_failures": {
                "help_text": "Number of imports that failed since the last one that succeeded."
            },
        }


class LinkedCalendarFilter(django_filters.FilterSet):  # type: ignore[misc]
    room = RoomIdFilter(field_name="room_id", label="The id of the room.")

    class Meta:
        model = LinkedCalendar
        fields = ["room"]


class LinkedCalendarViewSet(IdempotentMixin, EditableMixin, mixins.ListModelMixin, HotelViewSet):
    """Linked calendars: iCalendar URLs that channels publish for a room. Workers import them every half hour."""

    queryset = LinkedCalendar.objects.select_related("room")
    serializer_class = LinkedCalendarSerializer
    filterset_class = LinkedCalendarFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {
        "GET": "reservations:read",
        "POST": "reservations:write",
        "DELETE": "reservations:write",
    }

    @extend_schema(
        operation_id="linkCalendar",
        request=LinkCalendarSerializer,
        responses={
            201: LinkedCalendarSerializer,
            **problem_responses(
                (404, "There is no such room (`/problems/room-not-found`)."),
                (409, "The calendar is already linked (`/problems/calendar-conflict`)."),
                (422, "The URL is not valid (`/problems/invalid-calendar-url`)."),
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Link a channel's calendar to a room.

        Each event becomes a reservation with a stay in this room. The first import takes place within a minute.
        `last_error` and `last_report` show the result of the import.
        """
        serializer = LinkCalendarSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        calendar = services.link_calendar(**serializer.validated_data)
        return self.resource_response(calendar, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="unlinkCalendar",
        parameters=[IF_MATCH],
        responses={204: None, **problem_responses(PRECONDITION_FAILED)},
    )
    def destroy(self, _request: Request, pk: str) -> Response:
        """Unlink a calendar. Imported reservations are kept.

        Imported closures (nights that the channel marks as not available) are removed.
        """
        with self.changeable_object() as stored:
            services.unlink_calendar(stored.id)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: LinkedCalendarSerializer})
    @action(detail=True, methods=["post"])
    def sync(self, request: Request, pk: str) -> Response:
        """Import a linked calendar as soon as a worker is free."""
        services.request_sync(self.get_object().id)
        return Response(LinkedCalendarSerializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)
