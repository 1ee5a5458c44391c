"""The REST API of reservations, the bookings of the hotel's property management system: /api/v1/reservations/."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.db.models.functions import Lower
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from hotelagent.rest.conditional import ETAG, IF_MATCH, IF_NONE_MATCH, Preconditions
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists import changes
from hotelagent.rest.lists.csv_export import CsvExportMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelAPIView
from reminders import selectors
from reminders.api.serializers import PutReservationSerializer, ReminderSerializer, ReservationSerializer
from reminders.front_desk.arrivals import confirm_inquiry
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import cancel_reservation, upsert_reservation
from reminders.reservations.stays import HoldReference


class ReservationFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=ReservationStatus.choices)
    arrival_from = django_filters.DateFilter(field_name="arrival", lookup_expr="gte")
    arrival_until = django_filters.DateFilter(field_name="arrival", lookup_expr="lte")
    updated_since = changes.ChangesFilter()
    guest_email = django_filters.CharFilter(
        method="filter_guest_email", help_text="The guest's e-mail address, without regard to case."
    )

    class Meta:
        model = Reservation
        fields = ["external_id", "status", "arrival", "departure", "room_type", "source"]

    def filter_guest_email(
        self, queryset: QuerySet[Reservation], _name: str, address: str
    ) -> QuerySet[Reservation]:
        return queryset.alias(address=Lower("guest_email")).filter(address=address.lower())


class ReservationViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, CsvExportMixin):
    """Bookings of the hotel's property management system (PMS)."""

    queryset = Reservation.objects.all()
    personal_data = "reservation"
    export_name = "reservations"
    pagination_class = changes.ChangesPagination
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilter
    required_scopes = {"GET": "reservations:read", "POST": "reservations:write"}

    def get_queryset(self) -> QuerySet[Reservation]:
        return selectors.reservations()

    @extend_schema(parameters=[ETAG], responses={200: ReservationSerializer})
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get a reservation. The `ETag` header identifies the version of the reservation."""
        return _response_with_etag(self.get_object())

    @extend_schema(
        request=None,
        parameters=[ETAG],
        responses={
            200: ReservationSerializer,
            **problem_responses((409, "The guest has checked out (`/problems/reservation-state-error`).")),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a reservation.

        The room of the reservation becomes available, and the scheduled reminders of the reservation are cancelled.
        """
        cancel_reservation(reservation_id=self.get_object().id)
        return _response_with_etag(self.get_object())

    @extend_schema(
        operation_id="confirmReservation",
        request=None,
        parameters=[ETAG],
        responses={
            200: ReservationSerializer,
            **problem_responses(
                (
                    409,
                    "It is not an inquiry, or its departure date has passed (`/problems/reservation-state-error`).",
                )
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm an inquiry.

        The inquiry gets the status `booked`, keeps its rooms, and its reminders are planned. A second request changes
        nothing.
        """
        confirm_inquiry(reservation_id=self.get_object().id)
        return _response_with_etag(self.get_object())

    @extend_schema(
        operation_id="listRemindersOfReservation",
        responses={200: ReminderSerializer(many=True)},
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, personal_data="reminder")
    def reminders(self, request: Request, pk: str) -> Response:
        """List the reminders of a reservation, ordered by planned time."""
        reminders = selectors.reminders().filter(reservation=self.get_object()).order_by("planned_for", "id")
        return Response(ReminderSerializer(reminders, many=True).data)


def _response_with_etag(reservation: Reservation, status_code: int = status.HTTP_200_OK) -> Response:
    """Return a response with the reservation and its `ETag`. Clients send the `ETag` back in `If-Match` (RFC 9110)."""
    body: Any = ReservationSerializer(reservation).data
    return Response(body, status=status_code, headers={"ETag": f'"{reservation.version}"'})


#: The path parameter of the endpoint for a reservation that is identified by its number in the hotel's PMS.
_EXTERNAL_ID = OpenApiParameter(
    "external_id",
    str,
    OpenApiParameter.PATH,
    description="The number of the reservation in the hotel's PMS.",
)


class ReservationByNumberView(HotelAPIView):
    """The endpoint for a reservation that is identified by its number in the hotel's PMS."""

    personal_data = "reservation"
    required_scopes = {"GET": "reservations:read", "PUT": "reservations:write"}

    @extend_schema(
        operation_id="getReservationByExternalId",
        parameters=[_EXTERNAL_ID, ETAG],
        responses={200: ReservationSerializer},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Get a reservation by its PMS number."""
        return _response_with_etag(selectors.reservation_by_number(external_id))

    @extend_schema(
        operation_id="putReservation",
        request=PutReservationSerializer,
        parameters=[_EXTERNAL_ID, IF_MATCH, IF_NONE_MATCH, ETAG],
        responses={
            200: ReservationSerializer,
            201: ReservationSerializer,
            **problem_responses(
                (403, "`/problems/invalid-hold-token`."),
                (404, "`/problems/hold-not-found`."),
                (
                    409,
                    (
                        "`/problems/stay-conflict`: the stay belongs to another reservation; "
                        "`/problems/hold-state-error` or `/problems/stale-fencing-token`."
                    ),
                ),
                (410, "`/problems/hold-expired`."),
                (
                    412,
                    "`/problems/reservation-conflict`: the headers `If-Match` or `If-None-Match` do not allow it.",
                ),
                (422, "Some values are not valid (`/problems/invalid-reservation`)."),
            ),
        },
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Create or update a reservation.

        The reminders of the reservation are planned again in the same transaction. A second request with the same
        values changes nothing.

        Send the hold of the guest's room in `hold`. The hold is confirmed, and its stay becomes the stay of the
        reservation: it moves when the dates of the reservation change, and it is cancelled with the reservation.
        Without `hold`, the reservation keeps its stay.
        """
        serializer = PutReservationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        hold = HoldReference(**fields.pop("hold")) if "hold" in fields else None
        _reservation, is_new = upsert_reservation(
            external_id=external_id, may_change=Preconditions.of(request).allow, hold=hold, **fields
        )
        reservation = selectors.reservation_by_number(external_id)
        if not is_new:
            return _response_with_etag(reservation)
        response = _response_with_etag(reservation, status.HTTP_201_CREATED)
        response["Location"] = reverse("reservation-detail", args=[reservation.id], request=request)
        return response
