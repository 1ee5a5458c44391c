"""/api/v1/locks/: holding rooms, and what becomes of the hold."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, HotelViewSet
from locks import selectors, services
from locks.api.rooms import DATES
from locks.holds import Hold, listed
from locks.listing import stays
from locks.models import Allocation, AllocationStatus
from locks.serializers import (
    ConfirmSerializer,
    ForceReleaseSerializer,
    HoldSerializer,
    MadeHoldSerializer,
    MoveSerializer,
    NewHoldSerializer,
    OutOfServiceSerializer,
    TokenSerializer,
)
from tenants.context import current_actor

_TAKEN = (
    409,
    """`/problems/room-unavailable` (`clashes`: which nights, what kind of thing; `next_free`; `alternatives`) or
    `/problems/room-type-unavailable` (`free`, `next_free`).""",
)
_OWNER = (
    (403, "`/problems/invalid-hold-token`."),
    (404, "`/problems/hold-not-found`."),
    (409, "`/problems/hold-state-error`, `too-many-extensions` or `stale-fencing-token`."),
    (410, "`/problems/hold-expired`."),
)


class HoldFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(field_name="state", choices=AllocationStatus.choices)
    since = django_filters.DateFilter(
        field_name="nights__endswith", lookup_expr="gt", label="Leaves after this day."
    )
    until = django_filters.DateFilter(
        field_name="nights__startswith", lookup_expr="lte", label="Arrives on this day or before."
    )

    class Meta:
        model = Allocation
        fields = ["room", "reference", "session"]


class HoldViewSet(IdempotentMixin, HotelViewSet):
    """Holds, the stays they become, and rooms out of service."""

    queryset = Allocation.objects.all()
    serializer_class = HoldSerializer
    filterset_class = HoldFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "locks:read", "POST": "locks:write"}

    def get_queryset(self) -> QuerySet[Allocation]:
        return stays()

    @extend_schema(responses={200: HoldSerializer(many=True)})
    def list(self, _request: Request) -> Response:
        """List holds and stays, one entry a room, the newest first."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(_shown([Hold.of([listed(stay)]) for stay in page]).data)

    @extend_schema(responses={200: HoldSerializer, **problem_responses((404, "`/problems/hold-not-found`."))})
    def retrieve(self, _request: Request, pk: str) -> Response:
        """Read one hold or stay, or a group's by the group's id."""
        return _answer(selectors.hold(UUID(pk)))

    @extend_schema(
        request=NewHoldSerializer,
        responses={
            201: MadeHoldSerializer,
            **problem_responses(
                _TAKEN, DATES, (404, "`/problems/room-not-found`."), (429, "`/problems/too-many-holds`.")
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Hold rooms.

        Nobody else can have them until the hold ends: it lives for twenty minutes and can be extended twice
        by ten. `confirm` turns it into the stay. Send an `Idempotency-Key`: should the answer be lost on the
        way, the same request gets it again, token included.
        """
        wanted = NewHoldSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        common = {"nights": wanted.nights, "session": given["session"], "reference": given["reference"]}
        if "rooms" in given:
            hold = services.acquire_hold(rooms=given["rooms"], **common)
        else:
            hold = services.acquire_hold_of_type(
                room_type=given["room_type"], count=given["count"], guests=given["guests"], **common
            )
        return Response(MadeHoldSerializer(hold).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=TokenSerializer, responses={200: HoldSerializer, **problem_responses(*_OWNER)})
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Extend a hold by ten minutes."""
        return _answer(services.extend_hold(UUID(pk), token=_given(TokenSerializer, request)["token"]))

    @extend_schema(request=TokenSerializer, responses={200: HoldSerializer, **problem_responses(*_OWNER)})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Give the rooms back. Again, or after the hold has expired, is no error."""
        return _answer(services.release_hold(UUID(pk), token=_given(TokenSerializer, request)["token"]))

    @extend_schema(request=ConfirmSerializer, responses={200: HoldSerializer, **problem_responses(*_OWNER)})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Turn a hold into the stay. Again with the same token and fencing token gives the same answer."""
        return _answer(services.confirm_hold(UUID(pk), **_given(ConfirmSerializer, request)))

    @extend_schema(
        request=TokenSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(*_OWNER[:2], (409, "`/problems/hold-state-error`.")),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a confirmed stay: its rooms are free at once. By its owner's token, or by staff.

        Again with the token is no error.
        """
        if current_actor().kind == "user":
            return _answer(Hold.of([services.cancel_stay(UUID(pk))]))
        return _answer(
            services.cancel_confirmed_hold(UUID(pk), token=_given(TokenSerializer, request)["token"])
        )

    @extend_schema(
        request=ForceReleaseSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(
                (404, "`/problems/hold-not-found`."), (409, "`/problems/allocation-state-error`.")
            ),
        },
    )
    @action(detail=True, methods=["post"], url_path="force-release")
    def force_release_hold(self, request: Request, pk: str) -> Response:
        """End another's hold, with a reason. Staff only."""
        _staff_only()
        reason = _given(ForceReleaseSerializer, request)["reason"]
        return _answer(services.force_release_hold(UUID(pk), reason=reason))

    @extend_schema(
        request=MoveSerializer,
        responses={
            200: HoldSerializer,
            **problem_responses(
                _TAKEN, DATES, (404, "`/problems/hold-not-found`."), (410, "`/problems/hold-expired`.")
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move a hold or a stay to another room, other nights or both. Staff only.

        A hold gets a new fencing token: its owner reads it again before confirming.
        """
        _staff_only()
        asked = MoveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        moved = services.move_allocation(UUID(pk), room=asked.validated_data["room"], nights=asked.nights)
        return _answer(Hold.of([moved]))

    @extend_schema(
        request=OutOfServiceSerializer,
        responses={
            201: HoldSerializer,
            **problem_responses(_TAKEN, DATES, (404, "`/problems/room-not-found`.")),
        },
    )
    @action(detail=False, methods=["post"], url_path="out-of-service")
    def out_of_service(self, request: Request) -> Response:
        """Take a room out of service for some nights."""
        asked = OutOfServiceSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        closed = services.close_room(room=given["room"], nights=asked.nights, reason=given["reason"])
        return Response(_shown(Hold.of([closed])).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=None,
        responses={200: HoldSerializer, **problem_responses((409, "`/problems/allocation-state-error`."))},
    )
    @action(detail=True, methods=["post"], url_path="back-in-service")
    def back_in_service(self, _request: Request, pk: str) -> Response:
        """Put a room back in service."""
        return _answer(Hold.of([services.reopen_room(UUID(pk))]))


def _given(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    return found


def _staff_only() -> None:
    """An API key acts for guests, and may not decide over another's hold."""
    if current_actor().kind != "user":
        raise exceptions.PermissionDenied("Only staff who are logged in may do this, not an API key.")


def _shown(hold: Any) -> BaseSerializer[Any]:
    return HoldSerializer(hold, many=isinstance(hold, list))


def _answer(hold: Hold) -> Response:
    return Response(_shown(hold).data)
