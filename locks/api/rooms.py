"""The REST API of rooms and availability: /api/v1/rooms/ and /api/v1/availability/."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.conditional import IF_MATCH, PRECONDITION_FAILED
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists.filters import IntegerFilter
from hotelagent.rest.lists.pagination import NewestFirstPagination
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import EditableMixin, HotelAPIView, HotelViewSet
from locks import selectors, services
from locks.api.serializers import (
    INVALID_DATES,
    AvailabilityQuerySerializer,
    AvailabilitySerializer,
    RoomSerializer,
)
from locks.models import MAX_ROOM_ID, Room

_NUMBER_CONFLICT = (409, "`/problems/room-number-conflict`.")


class OldestFirstPagination(NewestFirstPagination):
    ordering = "id"


class RoomFilter(django_filters.FilterSet):  # type: ignore[misc]
    capacity = IntegerFilter(lookup_expr="gte", label="Rooms with at least this capacity.")
    floor = IntegerFilter()

    class Meta:
        model = Room
        fields = ["number", "room_type", "floor"]


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_ROOM_ID})
class RoomIdFilter(IntegerFilter):
    """A filter by the id of a room."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ROOM_ID, **options)


class RoomViewSet(IdempotentMixin, EditableMixin, mixins.ListModelMixin, HotelViewSet):
    queryset = Room.objects.all()
    serializer_class = RoomSerializer
    filterset_class = RoomFilter
    pagination_class = OldestFirstPagination
    required_scopes = {"GET": "rooms:read", "POST": "rooms:write", "PATCH": "rooms:write"}

    @extend_schema(responses={201: RoomSerializer, **problem_responses(_NUMBER_CONFLICT)})
    def create(self, request: Request) -> Response:
        """Create a room."""
        serializer = RoomSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        room = services.create_room(services.NewRoom(**serializer.validated_data))
        return self.resource_response(room, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[IF_MATCH],
        responses={200: RoomSerializer, **problem_responses(_NUMBER_CONFLICT, PRECONDITION_FAILED)},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Update a room."""
        serializer = RoomSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        with self.changeable_object() as stored:
            room = services.change_room(stored, changes=serializer.validated_data)
        return self.resource_response(room)


class AvailabilityView(HotelAPIView):
    required_scopes = {"GET": "rooms:read"}

    @extend_schema(
        operation_id="checkAvailability",
        parameters=[AvailabilityQuerySerializer],
        responses={200: AvailabilitySerializer, **problem_responses(INVALID_DATES)},
    )
    def get(self, request: Request) -> Response:
        """Check availability.

        Returns the rooms that are free on all nights, and their number for each room type.
        """
        query = AvailabilityQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        result = selectors.availability(
            nights=query.nights,
            room_type=query.validated_data["type"],
            guests=query.validated_data["adults"],
        )
        return Response(AvailabilitySerializer(result).data)
