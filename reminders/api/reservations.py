"""/api/v1/{reservations,reminders,calendars}/: what is booked, the mails about it, and channels' calendars."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelAPIView, HotelViewSet
from reminders import selectors
from reminders.models import Reminder, ReminderStatus, Reservation, ReservationStatus
from reminders.reservations.calendars.api import CalendarView, ImportCalendarView
from reminders.reservations.calendars.channels_api import CalendarViewSet
from reminders.reservations.services import cancel_reservation, upsert_reservation
from reminders.serializers import (
    PutReservationSerializer,
    ReminderSerializer,
    ReservationSerializer,
    SettleSerializer,
)
from reminders.services.reminders import cancel_reminder, send_now, settle_unknown

_STATE = problem_responses((409, "Its status does not allow this (`/problems/reminder-state-error`)."))


class ReservationFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=ReservationStatus.choices)
    arrival_from = django_filters.DateFilter(field_name="arrival", lookup_expr="gte")
    arrival_until = django_filters.DateFilter(field_name="arrival", lookup_expr="lte")
    guest_email = django_filters.CharFilter(method="of_guest", help_text="Large and small letters are alike.")

    class Meta:
        model = Reservation
        fields = ["external_id", "status", "arrival", "departure", "room_type", "source"]

    def of_guest(self, queryset: QuerySet[Reservation], _name: str, address: str) -> QuerySet[Reservation]:
        return queryset.alias(address=Lower("guest_email")).filter(address=address.lower())


class ReservationViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    """Bookings, as the hotel's own system knows them."""

    queryset = Reservation.objects.select_related("stay__room")
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilter
    required_scopes = {"GET": "reservations:read", "POST": "reservations:write"}

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read a reservation; `ETag` names its version."""
        return _versioned(self.get_object())

    @extend_schema(
        request=None,
        responses={
            200: ReservationSerializer,
            **problem_responses((409, "The stay is over (`/problems/reservation-state-error`).")),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a reservation: its room is free again and no reminder goes out any more."""
        cancel_reservation(reservation_id=self.get_object().id)
        return _versioned(self.get_object())

    @extend_schema(responses={200: ReminderSerializer(many=True)}, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def reminders(self, request: Request, pk: str) -> Response:
        """List a reservation's reminders in the order of their moments."""
        found = selectors.reminders().filter(reservation=self.get_object()).order_by("planned_for", "id")
        return Response(ReminderSerializer(found, many=True).data)


def _versioned(reservation: Reservation, code: int = status.HTTP_200_OK) -> Response:
    """With the entity tag that `If-Match` wants (RFC 9110, 13.1.1)."""
    body: Any = ReservationSerializer(reservation).data
    return Response(body, status=code, headers={"ETag": f'"{reservation.version}"'})


class ReservationByNumberView(HotelAPIView):
    """A booking under the number that the hotel's own system gave it."""

    required_scopes = {"GET": "reservations:read", "PUT": "reservations:write"}

    @extend_schema(operation_id="reservations_by_number", responses={200: ReservationSerializer})
    def get(self, request: Request, external_id: str) -> Response:
        """Read a reservation by the hotel system's number."""
        return _versioned(selectors.reservation_by_number(external_id))

    @extend_schema(
        operation_id="reservations_put",
        request=PutReservationSerializer,
        parameters=[
            OpenApiParameter(
                "If-Match",
                str,
                OpenApiParameter.HEADER,
                description="The `ETag` of the reservation as you know it (`*`: that there is one). "
                "Without it, what others changed meanwhile is overwritten.",
            )
        ],
        responses={
            200: ReservationSerializer,
            201: ReservationSerializer,
            **problem_responses(
                (412, "It is not as in `If-Match` (`/problems/reservation-conflict`)."),
                (422, "`/problems/invalid-reservation`."),
            ),
        },
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Store a reservation, or bring it to these values.

        Its reminders are planned anew in the same transaction. Sent again, it changes nothing.
        """
        given = PutReservationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        seen = request.headers.get("If-Match")
        version = None if seen is None else seen.strip().strip('"')
        stored, is_new = upsert_reservation(external_id=external_id, version=version, **given.validated_data)
        return _versioned(stored, status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


_CLOCK = "Without an offset (`2031-07-01T09:00:00`, `2031-07-01`) it is UTC."


class ReminderFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=ReminderStatus.choices)
    planned_from = django_filters.IsoDateTimeFilter(
        field_name="planned_for", lookup_expr="gte", help_text=_CLOCK
    )
    planned_until = django_filters.IsoDateTimeFilter(
        field_name="planned_for", lookup_expr="lt", help_text=f"Before this moment. {_CLOCK}"
    )
    # By their ids alone: what is not there has no reminders, and is no wrong choice.
    rule = django_filters.UUIDFilter(field_name="rule_id")
    reservation = django_filters.UUIDFilter(field_name="reservation_id")

    class Meta:
        model = Reminder
        fields = ["status", "skip_reason", "arrival"]


class ReminderViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    """Mails to guests: planned, sent, skipped and why."""

    queryset = selectors.reminders()
    serializer_class = ReminderSerializer
    filterset_class = ReminderFilter
    required_scopes = {"GET": "reminders:read", "POST": "reminders:write"}

    @extend_schema(request=None, responses={200: ReminderSerializer, **_STATE})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Keep a scheduled reminder from going."""
        cancel_reminder(reminder_id=self.get_object().id)
        return self._shown()

    @extend_schema(request=None, responses={202: ReminderSerializer, **_STATE})
    @action(detail=True, methods=["post"], url_path="send-now")
    def send_now(self, request: Request, pk: str) -> Response:
        """Have a reminder go as soon as a worker is free."""
        send_now(reminder_id=self.get_object().id)
        return self._shown(status.HTTP_202_ACCEPTED)

    @extend_schema(request=SettleSerializer, responses={200: ReminderSerializer, **_STATE})
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str) -> Response:
        """Say what became of a reminder whose outcome is unknown."""
        settled = SettleSerializer(data=request.data)
        settled.is_valid(raise_exception=True)
        settle_unknown(reminder_id=self.get_object().id, was_sent=settled.validated_data["was_sent"])
        return self._shown()

    def _shown(self, code: int = status.HTTP_200_OK) -> Response:
        return Response(ReminderSerializer(self.get_object()).data, status=code)


router = SimpleRouter()
router.register("reservations", ReservationViewSet, basename="reservation")
router.register("reminders", ReminderViewSet, basename="reminder")
router.register("calendars", CalendarViewSet, basename="calendar")
urlpatterns = [
    path("reservations.ics", CalendarView.as_view()),
    path("reservations/import-calendar/", ImportCalendarView.as_view()),
    path("reservations/by-external-id/<path:external_id>/", ReservationByNumberView.as_view()),
    *router.urls,
]
