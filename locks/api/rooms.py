"""/api/v1/{rooms,availability}/: the rooms, and which of them are free."""

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.pagination import NewestFirstPagination
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelAPIView, HotelViewSet
from locks import selectors, services
from locks.models import Room
from locks.serializers import AvailabilityQuerySerializer, AvailabilitySerializer, RoomSerializer

#: What dates may be refused for.
DATES = (
    422,
    "`/problems/invalid-date-range` or `/problems/invalid-check-in`.",
)


class RoomsInOrder(NewestFirstPagination):
    ordering = "id"


class RoomFilter(django_filters.FilterSet):  # type: ignore[misc]
    capacity = django_filters.NumberFilter(lookup_expr="gte", label="Sleeps at least so many.")

    class Meta:
        model = Room
        fields = ["number", "room_type", "floor"]


class RoomViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    queryset = Room.objects.all()
    serializer_class = RoomSerializer
    filterset_class = RoomFilter
    pagination_class = RoomsInOrder
    required_scopes = {"GET": "rooms:read", "POST": "rooms:write", "PATCH": "rooms:write"}

    @extend_schema(
        responses={201: RoomSerializer, **problem_responses((409, "`/problems/room-number-conflict`."))}
    )
    def create(self, request: Request) -> Response:
        """Add a room."""
        new = RoomSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        room = services.create_room(services.NewRoom(**new.validated_data))
        return Response(RoomSerializer(room).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        responses={200: RoomSerializer, **problem_responses((409, "`/problems/room-number-conflict`."))}
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a room."""
        changes = RoomSerializer(data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        room = services.change_room(self.get_object(), changes=changes.validated_data)
        return Response(RoomSerializer(room).data)


class AvailabilityView(HotelAPIView):
    required_scopes = {"GET": "rooms:read"}

    @extend_schema(
        parameters=[AvailabilityQuerySerializer],
        responses={200: AvailabilitySerializer, **problem_responses(DATES)},
    )
    def get(self, request: Request) -> Response:
        """See which rooms are free on all of some nights, and how many of each type."""
        asked = AvailabilityQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = selectors.availability(
            nights=asked.nights,
            room_type=asked.validated_data["type"],
            guests=asked.validated_data["adults"],
        )
        return Response(AvailabilitySerializer(found).data)
