"""The REST API of the waiting list: /api/v1/waiting-list/."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, HotelViewSet
from locks.api.serializers import INVALID_DATES, GuestRequestSerializer, HoldWithTokenSerializer
from locks.models import MAX_ROOM_ID
from locks.owner import holder, staff_holder
from locks.waiting_list import services
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from locks.waiting_list.queries import entries_with_position

_NOT_FOUND = (404, "`/problems/waiting-list-entry-not-found`.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Any double room",
            value={
                "check_in": "2031-07-01",
                "check_out": "2031-07-04",
                "room_type": "double",
                "guests": 2,
                "session": "c7f1",
                "reference": "WEB-1042",
            },
            request_only=True,
        )
    ]
)
class JoinWaitingListSerializer(GuestRequestSerializer):
    room = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_ROOM_ID,
        help_text="The id of a room. Required if `room_type` is not given.",
    )
    room_type = serializers.CharField(
        required=False,
        max_length=40,
        help_text="A room type. Any room of this type can be offered. Required if `room` is not given.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("room" in attrs) == ("room_type" in attrs):
            raise serializers.ValidationError(_("Provide either `room` or `room_type`."))
        return attrs

    @property
    def new_entry(self) -> services.NewEntry:
        fields = {
            name: value
            for name, value in self.validated_data.items()
            if name not in {"check_in", "check_out"}
        }
        return services.NewEntry(nights=self.nights, **fields)


class WaitingListEntrySerializer(serializers.Serializer[WaitingListEntry]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=WaitingStatus.choices,
        help_text="`waiting`: no room has been offered yet. `offered`: a room is held for you, claim it. `claimed`: "
        "you have claimed the offer. `expired`: the offer or the check-in date has passed. `cancelled`: you have "
        "cancelled the entry.",
    )
    position = serializers.IntegerField(
        allow_null=True,
        help_text="The position among the waiting entries for rooms of this type on any of these nights. The entry "
        "at position 1 gets the next offer. `null` if the entry is not waiting.",
    )
    check_in = serializers.DateField(source="nights.lower")
    check_out = serializers.DateField(source="nights.upper")
    room = serializers.IntegerField(
        source="room_id", allow_null=True, help_text="The id of the requested room, if one was requested."
    )
    room_type = serializers.CharField()
    guests = serializers.IntegerField()
    hold = serializers.UUIDField(
        source="hold_id",
        allow_null=True,
        help_text="The id of the offered hold. `GET /api/v1/locks/{id}/` returns when the offer expires.",
    )
    session = serializers.CharField()
    reference = serializers.CharField()
    joined_at = serializers.DateTimeField()


class WaitingListFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=WaitingStatus.choices)

    class Meta:
        model = WaitingListEntry
        fields = ["reference", "session", "room_type"]


class WaitingListViewSet(IdempotentMixin, HotelViewSet):
    queryset = WaitingListEntry.objects.all()
    serializer_class = WaitingListEntrySerializer
    filterset_class = WaitingListFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "locks:read", "POST": "locks:write", "DELETE": "locks:write"}

    def get_queryset(self) -> QuerySet[WaitingListEntry]:
        """Return the client's own waiting list entries, or all entries for staff."""
        entries = entries_with_position()
        return entries if staff_holder() else entries.filter(holder=holder())

    @extend_schema(responses={200: WaitingListEntrySerializer(many=True)})
    def list(self, _request: Request) -> Response:
        """List your waiting list entries, newest first."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(WaitingListEntrySerializer(page, many=True).data)

    @extend_schema(responses={200: WaitingListEntrySerializer, **problem_responses(_NOT_FOUND)})
    def retrieve(self, _request: Request, pk: str) -> Response:
        """Retrieve a waiting list entry."""
        return self._entry_response(UUID(pk), status_code=status.HTTP_200_OK)

    @extend_schema(
        operation_id="joinWaitingList",
        request=JoinWaitingListSerializer,
        responses={
            201: WaitingListEntrySerializer,
            **problem_responses(
                (404, "`/problems/room-not-found`."),
                INVALID_DATES,
                (429, "`/problems/too-many-waiting-list-entries`."),
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Join the waiting list.

        When a room becomes free, the room is held for the oldest entry that it suits. The entry's status becomes
        `offered`, and webhooks receive the event `waiting_list.offered`. Claim the offer within ten minutes. After ten
        minutes the offer expires, and the room is offered to the next entry. A room that is already free is offered
        immediately.
        """
        serializer = JoinWaitingListSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        entry = services.create_entry(serializer.new_entry)
        return self._entry_response(entry.id, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="claimOffer",
        request=None,
        responses={
            200: HoldWithTokenSerializer,
            **problem_responses(
                _NOT_FOUND,
                (409, "`/problems/no-open-offer` or `/problems/offer-already-claimed`."),
                (410, "`/problems/offer-expired`."),
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def claim(self, _request: Request, pk: str) -> Response:
        """Claim an offer.

        Returns the hold with its token, which is shown only in this response. You can extend, confirm or release this
        hold in the same way as other holds. Send an `Idempotency-Key`. If the response is lost, repeat the request with
        the same key to receive the same response.
        """
        return Response(HoldWithTokenSerializer(services.claim_offer(UUID(pk))).data)

    @extend_schema(
        operation_id="cancelWaitingListEntry",
        responses={204: None, **problem_responses(_NOT_FOUND, (409, "`/problems/offer-already-claimed`."))},
    )
    def destroy(self, _request: Request, pk: str) -> Response:
        """Cancel a waiting list entry.

        If a room has been offered to this entry, the room is offered to the next entry that it suits.
        """
        services.cancel_entry(UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _entry_response(self, entry_id: UUID, *, status_code: int) -> Response:
        entry = self.get_queryset().filter(id=entry_id).first()
        if entry is None:
            raise services.entry_not_found(entry_id)
        return Response(WaitingListEntrySerializer(entry).data, status=status_code)
