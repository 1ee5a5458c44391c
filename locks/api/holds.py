"""The REST API of holds, stays and closures: /api/v1/locks/."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists import changes
from hotelagent.rest.lists.csv_export import CsvExportMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX
from locks import selectors, services
from locks.api.problems import (
    CANCEL_CONFLICT,
    HOLD_EXPIRED,
    HOLD_NOT_FOUND,
    INVALID_TOKEN,
    MOVE_CONFLICT,
    OWNER_PROBLEMS,
    ROOM_NOT_FOUND,
    UNAVAILABLE,
)
from locks.api.rooms import RoomIdFilter
from locks.api.serializers import (
    INVALID_DATES,
    CloseRoomSerializer,
    ConfirmHoldSerializer,
    CreateHoldSerializer,
    ForceReleaseHoldSerializer,
    HoldSerializer,
    HoldTokenSerializer,
    HoldWithTokenSerializer,
    MoveHoldSerializer,
)
from locks.holds import AllocatedRoom, Hold
from locks.models import Allocation, AllocationStatus
from tenants.context import current_actor

#: The columns of the CSV export that contain values of the hold. `_EXPORTED_OF_ROOM` contains all other columns.
_EXPORTED = (
    "id", "group", "status", "check_in", "check_out", "fencing_token", "expires_at", "reference", "reason",
)  # fmt: skip
#: The columns of the CSV export that contain values of the room. Maps each column to a field of the room.
_EXPORTED_OF_ROOM = {"room_number": "number", "room_type": "room_type"}


class HoldFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(
        field_name="current_status", choices=AllocationStatus.choices
    )
    since = django_filters.DateFilter(
        field_name="nights__endswith", lookup_expr="gt", label="Check-out after this date."
    )
    until = django_filters.DateFilter(
        field_name="nights__startswith", lookup_expr="lte", label="Check-in on or before this date."
    )
    updated_since = changes.ChangesFilter()
    # The filter compares ids. A ModelChoiceFilter would return an error if no room has the requested id.
    room = RoomIdFilter(field_name="room_id", label="The id of the room.")

    class Meta:
        model = Allocation
        fields = ["room", "reference", "session"]


class HoldViewSet(IdempotentMixin, CsvExportMixin):
    queryset = Allocation.objects.all()
    resource_name = "hold"
    export_name = "stays"
    pagination_class = changes.ChangesPagination
    serializer_class = HoldSerializer
    filterset_class = HoldFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "locks:read", "POST": "locks:write"}

    def get_queryset(self) -> QuerySet[Allocation]:
        return selectors.allocations()

    @extend_schema(responses={200: HoldSerializer(many=True)})
    def list(self, _request: Request) -> Response:
        """List holds, stays and closures, newest first.

        A hold of several rooms is listed once for each room.
        """
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(_rows(page))

    def export_rows(self, instances: Sequence[Allocation]) -> Sequence[dict[str, Any]]:
        """Return a row of the CSV export for each room. The values of the room get the prefix `room_`."""
        return [
            {name: row[name] for name in _EXPORTED}
            | {column: row["rooms"][0][name] for column, name in _EXPORTED_OF_ROOM.items()}
            for row in _rows(instances)
        ]

    def export_columns(self) -> Sequence[str]:
        return [*_EXPORTED, *_EXPORTED_OF_ROOM]

    @extend_schema(responses={200: HoldSerializer, **problem_responses(HOLD_NOT_FOUND)})
    def retrieve(self, _request: Request, pk: str) -> Response:
        """Retrieve a hold, a stay or a closure.

        Rooms that were held in one request form a group. To retrieve all of these rooms, use the id of the group.
        """
        return _hold_response(selectors.get_hold(UUID(pk)))

    @extend_schema(
        request=CreateHoldSerializer,
        responses={
            201: HoldWithTokenSerializer,
            **problem_responses(
                UNAVAILABLE, INVALID_DATES, ROOM_NOT_FOUND, (429, "`/problems/too-many-holds`.")
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Hold one or more rooms.

        No other client can hold or book the rooms until the hold ends. A hold expires after 20 minutes and can be
        extended twice by 10 minutes. Confirm the hold to turn it into a stay.

        Send an `Idempotency-Key`. If the response is lost, repeat the request with the same key to receive the same
        response with the token.
        """
        serializer = CreateHoldSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        common = {
            "nights": serializer.nights,
            "session": fields["session"],
            "reference": fields["reference"],
        }
        if "rooms" in fields:
            hold = services.acquire_hold(rooms=fields["rooms"], **common)
        else:
            hold = services.acquire_hold_of_type(
                room_type=fields["room_type"], count=fields["count"], guests=fields["guests"], **common
            )
        return Response(HoldWithTokenSerializer(hold).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=HoldTokenSerializer, responses={200: HoldSerializer, **problem_responses(*OWNER_PROBLEMS)}
    )
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Extend a hold by 10 minutes."""
        token = _validated(HoldTokenSerializer, request)["token"]
        return _hold_response(services.extend_hold(UUID(pk), token=token))

    @extend_schema(
        request=HoldTokenSerializer, responses={200: HoldSerializer, **problem_responses(*OWNER_PROBLEMS)}
    )
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Release a hold.

        It is not an error if the hold has already been released or has expired.
        """
        token = _validated(HoldTokenSerializer, request)["token"]
        return _hold_response(services.release_hold(UUID(pk), token=token))

    @extend_schema(
        request=ConfirmHoldSerializer, responses={200: HoldSerializer, **problem_responses(*OWNER_PROBLEMS)}
    )
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm a hold.

        The hold becomes a stay. A repeated request with the same token and fencing token returns the same response.
        """
        return _hold_response(services.confirm_hold(UUID(pk), **_validated(ConfirmHoldSerializer, request)))

    @extend_schema(
        request=HoldTokenSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(
                INVALID_TOKEN,
                HOLD_NOT_FOUND,
                CANCEL_CONFLICT,
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a stay.

        Its rooms are free immediately. Requires the token, unless you are signed in as staff. It is not an error if
        the stay has already been cancelled. The stay of a reservation can't be cancelled alone: cancel the reservation
        instead.
        """
        if current_actor().kind == "user":
            return _hold_response(services.cancel_unbooked_stay(UUID(pk)))
        token = _validated(HoldTokenSerializer, request)["token"]
        return _hold_response(services.cancel_confirmed_hold(UUID(pk), token=token))

    @extend_schema(
        request=ForceReleaseHoldSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(HOLD_NOT_FOUND, (409, "`/problems/allocation-state-error`.")),
        },
    )
    @action(detail=True, methods=["post"], url_path="force-release")
    def force_release(self, request: Request, pk: str) -> Response:
        """Release the hold of another client, with a reason. Staff only."""
        _require_staff()
        reason = _validated(ForceReleaseHoldSerializer, request)["reason"]
        return _hold_response(services.force_release_hold(UUID(pk), reason=reason))

    @extend_schema(
        request=MoveHoldSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(
                MOVE_CONFLICT,
                (422, f"{INVALID_DATES[1].rstrip('.')}; or `/problems/invalid-reservation`."),
                HOLD_NOT_FOUND,
                HOLD_EXPIRED,
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move a hold, a stay or a closure to another room, other dates or both. Staff only.

        A moved hold gets a new fencing token, which the owner must retrieve before confirming the hold.

        If the stay belongs to a reservation, the reservation gets the same dates, and its reminders are planned again.
        If the guest is in house, the nights before today stay in the old room.
        """
        _require_staff()
        serializer = MoveHoldSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        moved = services.move_at_front_desk(
            UUID(pk), room=serializer.validated_data["room"], nights=serializer.nights
        )
        return _hold_response(moved)

    @extend_schema(
        operation_id="closeRoom",
        request=CloseRoomSerializer,
        responses={201: HoldSerializer, **problem_responses(UNAVAILABLE, INVALID_DATES, ROOM_NOT_FOUND)},
    )
    @action(detail=False, methods=["post"])
    def close(self, request: Request) -> Response:
        """Close a room for a range of nights."""
        serializer = CloseRoomSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        closure = services.close_room(
            room=serializer.validated_data["room"],
            nights=serializer.nights,
            reason=serializer.validated_data["reason"],
        )
        return _hold_response(Hold.of([closure]), status_code=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="reopenRoom",
        request=None,
        responses={200: HoldSerializer, **problem_responses((409, "`/problems/allocation-state-error`."))},
    )
    @action(detail=True, methods=["post"])
    def reopen(self, _request: Request, pk: str) -> Response:
        """Reopen a closed room by ending its closure."""
        return _hold_response(Hold.of([services.reopen_room(UUID(pk))]))


def _validated(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields


def _require_staff() -> None:
    """Raise PermissionDenied if the client uses an API key. Only staff may change the holds of other clients."""
    if current_actor().kind != "user":
        raise exceptions.PermissionDenied(
            _("Only signed-in staff can perform this operation. API keys can't.")
        )


def _rows(allocations: Sequence[Allocation]) -> Any:
    """Return the rows of a list: each allocation in the JSON form of a hold of one room."""
    holds: Any = [Hold.of([AllocatedRoom.from_allocation(allocation)]) for allocation in allocations]
    return HoldSerializer(holds, many=True).data


def _hold_response(hold: Hold, *, status_code: int = status.HTTP_200_OK) -> Response:
    return Response(HoldSerializer(hold).data, status=status_code)
