"""/api/v1/waiting-list/: who finds a room taken waits for it; first come, first offered."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, HotelViewSet
from locks.api.rooms import DATES
from locks.listing import waiting_entries
from locks.owner import holder, staff_holder
from locks.serializers import MadeHoldSerializer, WantedSerializer
from locks.waiting_list.errors import WaitingListEntryNotFound
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from locks.waiting_list.services import NewEntry, cancel_entry, claim_offer, create_entry

_MINE = (404, "`/problems/waiting-list-entry-not-found`.")


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
class NewEntrySerializer(WantedSerializer):
    room = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="This room. Either it or `room_type`."
    )
    room_type = serializers.CharField(required=False, max_length=40, help_text="Any room of this type.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("room" in attrs) == ("room_type" in attrs):
            raise serializers.ValidationError("Name either `room` or `room_type`.")
        return attrs

    @property
    def wish(self) -> NewEntry:
        given = {
            name: self.validated_data[name] for name in self.validated_data if not name.startswith("check")
        }
        return NewEntry(nights=self.nights, **given)


class EntrySerializer(serializers.Serializer[WaitingListEntry]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=WaitingStatus.choices,
        help_text="`waiting`; `offered`: claim it; `claimed`: it became your hold; `lapsed`: the offer or the day of "
        "arrival passed; `left`.",
    )
    place = serializers.IntegerField(
        allow_null=True,
        help_text="While it waits: 1 is who is offered first. Counts who waits for rooms of the type on any of "
        "the nights.",
    )
    check_in = serializers.DateField(source="nights.lower")
    check_out = serializers.DateField(source="nights.upper")
    room = serializers.IntegerField(source="room_id", allow_null=True)
    room_type = serializers.CharField()
    guests = serializers.IntegerField()
    hold = serializers.UUIDField(
        source="hold_id",
        allow_null=True,
        help_text="What was offered: `GET /api/v1/locks/{id}/` says until when.",
    )
    session = serializers.CharField()
    reference = serializers.CharField()
    joined_at = serializers.DateTimeField()


class EntryFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=WaitingStatus.choices)

    class Meta:
        model = WaitingListEntry
        fields = ["reference", "session", "room_type"]


class WaitingViewSet(IdempotentMixin, HotelViewSet):
    queryset = WaitingListEntry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {"GET": "locks:read", "POST": "locks:write", "DELETE": "locks:write"}

    def get_queryset(self) -> QuerySet[WaitingListEntry]:
        """A client's own; staff see all."""
        entries = waiting_entries()
        return entries if staff_holder() else entries.filter(holder=holder())

    @extend_schema(responses={200: EntrySerializer(many=True)})
    def list(self, _request: Request) -> Response:
        """List your entries in the waiting list, the newest first."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(EntrySerializer(page, many=True).data)

    @extend_schema(responses={200: EntrySerializer, **problem_responses(_MINE)})
    def retrieve(self, _request: Request, pk: str) -> Response:
        """Read one of your entries."""
        return self._shown(UUID(pk))

    @extend_schema(
        request=NewEntrySerializer,
        responses={
            201: EntrySerializer,
            **problem_responses(
                (404, "`/problems/room-not-found`."),
                DATES,
                (429, "`/problems/too-many-waiting-list-entries`."),
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Wait for a room.

        When a room that fits becomes free on all of the nights, it is held for who waits first, for ten minutes, and
        webhooks that asked for `waiting_list.offered` are told: then `claim` it. An offer that is not claimed in time
        goes to the next, and the entry has lapsed: join again. Is a room free already, it is offered at once.
        """
        asked = NewEntrySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        entry = create_entry(asked.wish)
        return self._shown(entry.id, code=status.HTTP_201_CREATED)

    @extend_schema(
        request=None,
        responses={
            200: MadeHoldSerializer,
            **problem_responses(
                _MINE,
                (409, "`/problems/no-open-offer` or `/problems/offer-already-claimed`."),
                (410, "`/problems/offer-expired`."),
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def claim(self, _request: Request, pk: str) -> Response:
        """Take up an offer: the hold with its token.

        It is a hold like any other from then on: extend, confirm or release it with its token, which is shown this
        once. Send an `Idempotency-Key`: should the answer be lost on the way, the same request gets it again.
        """
        return Response(MadeHoldSerializer(claim_offer(UUID(pk))).data)

    @extend_schema(
        responses={204: None, **problem_responses(_MINE, (409, "`/problems/offer-already-claimed`."))}
    )
    def destroy(self, _request: Request, pk: str) -> Response:
        """Stop waiting. What was offered goes to the next."""
        cancel_entry(UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, entry_id: UUID, *, code: int = status.HTTP_200_OK) -> Response:
        entry = self.get_queryset().filter(id=entry_id).first()
        if entry is None:
            raise WaitingListEntryNotFound(f"There is no entry {entry_id} of yours.")
        return Response(EntrySerializer(entry).data, status=code)
