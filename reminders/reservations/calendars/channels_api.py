"""/api/v1/calendars/: the addresses at which channels publish a room's calendar."""

from __future__ import annotations

import django_filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelViewSet
from reminders.reservations.calendars import services as calendar_services
from reminders.reservations.calendars.api import CalendarReportSerializer
from reminders.reservations.calendars.models import CalendarAddress


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A room at Airbnb",
            value={"room": 1, "name": "Airbnb", "url": "https://www.airbnb.com/calendar/ical/1.ics?s=7d1e"},
            request_only=True,
        )
    ]
)
class NewCalendarSerializer(StrictSerializer):
    room = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="The room's id.")
    name = serializers.CharField(max_length=60, help_text="The channel, as your staff call it.")
    url = serializers.CharField(
        max_length=2000,
        help_text="Where the channel publishes the room's calendar: https, or webcal. Not shown again.",
    )
    closes_room = serializers.BooleanField(
        default=True,
        help_text="Whether what the channel calls “Not available” is out of service here. Booking.com calls its "
        "bookings so, too.",
    )


class CalendarAddressSerializer(serializers.ModelSerializer[CalendarAddress]):
    room_number = serializers.CharField(source="room.number", read_only=True)
    error = serializers.CharField(
        source="why",
        read_only=True,
        help_text="Why it could not be read the last time, and what to do. Empty: it could.",
    )
    report = CalendarReportSerializer(
        source="found",
        read_only=True,
        allow_null=True,
        help_text="What the calendar held when it was read last; null before the first time.",
    )

    class Meta:
        model = CalendarAddress
        fields = (
            "id", "room", "room_number", "name", "closes_room", "host", "polled_at", "read_at", "failures", "error",
            "report",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs = {
            "host": {"help_text": "Of the address; the rest of it is a secret."},
            "polled_at": {"help_text": "When it was asked last, whatever came of it."},
            "read_at": {"help_text": "When it was read last."},
            "failures": {"help_text": "In a row, up to now."},
        }


class CalendarFilter(django_filters.FilterSet):  # type: ignore[misc]
    class Meta:
        model = CalendarAddress
        fields = ["room"]


class CalendarViewSet(
    IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, HotelViewSet
):
    """Calendars that channels publish for a room, read every half hour."""

    queryset = CalendarAddress.objects.select_related("room")
    serializer_class = CalendarAddressSerializer
    filterset_class = CalendarFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {
        "GET": "reservations:read",
        "POST": "reservations:write",
        "DELETE": "reservations:write",
    }

    @extend_schema(
        request=NewCalendarSerializer,
        responses={
            201: CalendarAddressSerializer,
            **problem_responses(
                (404, "`/problems/unknown-room`."),
                (409, "`/problems/calendar-conflict`."),
                (422, "The URL is not valid (`/problems/invalid-calendar-url`)."),
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Have a channel's calendar read for a room, from now on.

        Each event becomes a reservation with a stay in the room. Look at `error` and `report` a minute later.
        """
        new = NewCalendarSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        made = calendar_services.add_calendar(**new.validated_data)
        return Response(CalendarAddressSerializer(made).data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: CalendarAddress) -> None:
        """Read it no more. The reservations that it brought stay."""
        calendar_services.remove_calendar(instance.id)

    @extend_schema(request=None, responses={202: CalendarAddressSerializer})
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:  # noqa: ARG002 - so the router calls it
        """Have it read as soon as a worker is free."""
        calendar_services.read_soon(self.get_object().id)
        return Response(CalendarAddressSerializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)
