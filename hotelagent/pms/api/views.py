"""The REST API of the PMS: /api/v1/pms/offers/, /api/v1/pms/bookings/, /api/v1/pms/rates/ and /api/v1/pms/changes/."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.pms import connections
from hotelagent.pms.api.serializers import (
    BookingSerializer,
    MakeBookingSerializer,
    OfferSearchSerializer,
    OffersSerializer,
    RateSerializer,
)
from hotelagent.pms.bookings import services
from hotelagent.pms.models import Booking, BookingStatus, Rate
from hotelagent.pms.rates import delete_rate, save_rate
from hotelagent.pms.search import search_availability
from hotelagent.rest.conditional import IF_MATCH, PRECONDITION_FAILED
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, EditableMixin, HotelAPIView, HotelViewSet
from locks.api.serializers import INVALID_DATES

_PMS_ERRORS = (
    (502, "`/problems/pms-error`, `/problems/invalid-pms-response` or `/problems/pms-access-denied`."),
    (503, "`/problems/pms-unavailable`, `/problems/pms-circuit-open` or `/problems/pms-rate-limited`."),
)
_NOT_FOUND = (404, "`/problems/booking-not-found`.")


class OffersView(HotelAPIView):
    required_scopes = {"GET": "pms:read"}

    @extend_schema(
        operation_id="searchOffers",
        parameters=[OfferSearchSerializer],
        responses={200: OffersSerializer, **problem_responses(INVALID_DATES, *_PMS_ERRORS)},
    )
    def get(self, request: Request) -> Response:
        """Search for offers.

        Returns the room types with their free rooms and prices, as the hotel's PMS reports them. The result may be up
        to a minute old. If the PMS is unavailable, it may be up to 15 minutes old, and `stale` is true.
        """
        query = OfferSearchSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = search_availability(query.search(room_type=query.validated_data["room_type"]))
        return Response(OffersSerializer(found).data)


class BookingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    queryset = Booking.objects.all()
    serializer_class = BookingSerializer
    resource_name = "booking"
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "pms:read", "PUT": "pms:write", "DELETE": "pms:write"}

    @extend_schema(
        operation_id="makeBooking",
        request=MakeBookingSerializer,
        responses={
            200: BookingSerializer,
            201: BookingSerializer,
            202: BookingSerializer,
            **problem_responses(
                (
                    409,
                    "`/problems/booking-refused`, `/problems/price-changed` or `/problems/room-type-unavailable`.",
                ),
                (422, "`/problems/no-price`, `/problems/room-type-not-mapped` or invalid dates."),
                *_PMS_ERRORS,
            ),
        },
    )
    def update(self, request: Request, pk: str) -> Response:
        """Make a booking of one or more rooms in the PMS.

        Choose a random UUID as the id of the booking. If the response is lost, repeat the request with the same id: the
        booking is made once, and the response has the status 200. The status 202 means that the PMS did not answer
        clearly. The rooms stay held. Retrieve the booking later to learn its outcome.
        """
        serializer = MakeBookingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        booking, is_new = services.book(
            booking_id=UUID(pk),
            search=serializer.search(room_type=fields["room_type"]),
            room_count=fields["room_count"],
            guest=serializer.guest_value,
            price=serializer.price_value,
        )
        is_booked = booking.status == BookingStatus.BOOKED
        new_status = status.HTTP_201_CREATED if is_booked else status.HTTP_202_ACCEPTED
        return Response(BookingSerializer(booking).data, status=new_status if is_new else status.HTTP_200_OK)

    @extend_schema(
        operation_id="cancelBooking",
        responses={
            200: BookingSerializer,
            202: BookingSerializer,
            **problem_responses(_NOT_FOUND, (409, "`/problems/booking-state-error`."), *_PMS_ERRORS),
        },
    )
    def destroy(self, _request: Request, pk: str) -> Response:
        """Cancel a booking in the PMS.

        The reservation is cancelled too, and its rooms are free again. The status 202 means that the PMS did not answer
        clearly. The cancellation is repeated later.
        """
        booking = services.cancel(UUID(pk))
        is_cancelled = booking.status == BookingStatus.CANCELLED
        return Response(
            BookingSerializer(booking).data,
            status=status.HTTP_200_OK if is_cancelled else status.HTTP_202_ACCEPTED,
        )


class RateViewSet(IdempotentMixin, EditableMixin, mixins.ListModelMixin, HotelViewSet):
    queryset = Rate.objects.all()
    serializer_class = RateSerializer
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "pms:read", "POST": "pms:manage", "PATCH": "pms:manage", "DELETE": "pms:manage"}

    @extend_schema(responses={201: RateSerializer})
    def create(self, request: Request) -> Response:
        """Create a rate.

        If several rates match a night, the rate with the shortest range of nights is used, and the newest of those.
        """
        serializer = RateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rate = Rate(**serializer.validated_data)
        save_rate(rate, is_new=True)
        return self.resource_response(rate, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[IF_MATCH], responses={200: RateSerializer, **problem_responses(PRECONDITION_FAILED)}
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Update a rate."""
        with self.changeable_object() as stored:
            serializer = RateSerializer(stored, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            for name, value in serializer.validated_data.items():
                setattr(stored, name, value)
            save_rate(stored, is_new=False)
        return self.resource_response(stored)

    @extend_schema(parameters=[IF_MATCH], responses={204: None, **problem_responses(PRECONDITION_FAILED)})
    def destroy(self, _request: Request, pk: str) -> Response:
        """Delete a rate."""
        with self.changeable_object() as stored:
            delete_rate(stored)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangesView(HotelAPIView):
    required_scopes = {"POST": "pms:write"}

    @extend_schema(operation_id="reportPmsChange", request=None, responses={202: None})
    def post(self, _request: Request) -> Response:
        """Report a change in the PMS.

        Call this URL from a webhook of the PMS. The cached offers are discarded, and the changes are imported within
        seconds.
        """
        connections.report_change()
        return Response(status=status.HTTP_202_ACCEPTED)
