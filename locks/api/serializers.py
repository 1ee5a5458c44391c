"""The serializers of rooms, availability and holds."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from hotelagent.rest.serializers import ReadOnlySerializer, StrictMixin, StrictSerializer
from locks import policy
from locks.holds import AllocatedRoom, Hold
from locks.models import MAX_ROOM_ID, AllocationStatus, Room
from locks.nights import Nights

#: An argument for `problem_responses`: the status and the problems that invalid check-in or check-out dates cause.
INVALID_DATES = (
    422,
    "`/problems/invalid-date-range` or `/problems/invalid-check-in`.",
)


class RoomSerializer(StrictMixin, serializers.ModelSerializer[Room]):
    class Meta:
        model = Room
        fields = ("id", "number", "room_type", "floor", "capacity")
        # There is no validator for unique room numbers, because the service checks them in its transaction.
        extra_kwargs = {
            "number": {"validators": [], "help_text": "The room number, unique in the hotel."},
            "capacity": {"min_value": 1},
        }


class NightsSerializer(StrictSerializer):
    """A range of nights. A guest can check in on the day on which another guest checks out."""

    check_in = serializers.DateField(help_text="The check-in date: the first night.")
    check_out = serializers.DateField(help_text="The check-out date: the day after the last night.")

    @property
    def nights(self) -> Nights:
        """The validated nights. Raises InvalidDateRange.

        The error is not converted to a ValidationError, so that the response has the problem type of InvalidDateRange.
        """
        return Nights(self.validated_data["check_in"], self.validated_data["check_out"])


class GuestRequestSerializer(NightsSerializer):
    """The fields that requests for a hold and requests for a waiting list entry have in common."""

    guests = serializers.IntegerField(
        default=1,
        min_value=1,
        max_value=100,
        help_text="The minimum capacity of each room. Used together with `room_type`.",
    )
    session = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=64,
        help_text="Your id for the guest's visit. It limits the number of rooms that one guest can hold. Must not "
        "contain personal data such as a name or an e-mail address.",
    )
    reference = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="Your booking number."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "One room",
            value={
                "check_in": "2031-07-01",
                "check_out": "2031-07-04",
                "room": 12,
                "reference": "WEB-1042",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Any room of a type",
            value={
                "check_in": "2031-07-01",
                "check_out": "2031-07-04",
                "room_type": "double",
                "guests": 2,
                "session": "c7f1",
            },
            request_only=True,
        ),
    ]
)
class CreateHoldSerializer(GuestRequestSerializer):
    room = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_ROOM_ID,
        help_text="The id of a room. Provide exactly one of `room`, `rooms` and `room_type`.",
    )
    rooms = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_ROOM_ID),
        required=False,
        allow_empty=False,
        max_length=policy.MAX_ROOMS,
        help_text="The ids of several rooms. Either all of them are held or none.",
    )
    room_type = serializers.CharField(
        required=False, max_length=40, help_text="A room type. Any free rooms of this type are held."
    )
    count = serializers.IntegerField(
        default=1,
        min_value=1,
        max_value=policy.MAX_ROOMS,
        help_text="The number of rooms. Used together with `room_type`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("room", "rooms", "room_type")) != 1:
            raise serializers.ValidationError(_("Provide exactly one of `room`, `rooms` and `room_type`."))
        if "room" in attrs:
            attrs["rooms"] = [attrs.pop("room")]
        return attrs


class HoldTokenSerializer(StrictSerializer):
    token = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        max_length=200,
        help_text="The token from the response that created the hold. Staff do not need it for their own holds.",
    )


class OwnerSerializer(HoldTokenSerializer):
    """The token and the fencing token of a hold, which the response that created the hold contained."""

    fencing_token = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, help_text="The fencing token of the hold."
    )


class ConfirmHoldSerializer(OwnerSerializer):
    reference = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=64,
        help_text="Your booking number. Replaces the reference of the hold.",
    )


class ForceReleaseHoldSerializer(StrictSerializer):
    reason = serializers.CharField(
        max_length=200, help_text="The reason. It is shown to the owner of the hold and in the audit trail."
    )


class CloseRoomSerializer(NightsSerializer):
    room = serializers.IntegerField(min_value=1, max_value=MAX_ROOM_ID, help_text="The id of the room.")
    reason = serializers.CharField(max_length=200, help_text="Why the room is closed.")

    @property
    def nights(self) -> Nights:
        return Nights(
            self.validated_data["check_in"],
            self.validated_data["check_out"],
            limit=policy.MAX_CLOSURE_NIGHTS,
        )


class MoveHoldSerializer(NightsSerializer):
    room = serializers.IntegerField(min_value=1, max_value=MAX_ROOM_ID, help_text="The id of the new room.")


class AllocatedRoomSerializer(ReadOnlySerializer[AllocatedRoom]):
    id = serializers.UUIDField(
        help_text="The id of the hold of this room. Use it to extend, release or confirm this room alone."
    )
    room = serializers.IntegerField(source="room_id", help_text="The id of the room.")
    number = serializers.CharField(help_text="The room number.")
    room_type = serializers.CharField()


class HoldSerializer(ReadOnlySerializer[Hold]):
    """A hold, a stay or a closure of one room, or of several rooms that were held together."""

    id = serializers.UUIDField(
        help_text="The id of the hold. Use it to extend, release or confirm all rooms."
    )
    group = serializers.UUIDField(
        allow_null=True, help_text="The id of the group, if several rooms were held together."
    )
    status = serializers.ChoiceField(choices=AllocationStatus.choices)
    check_in = serializers.DateField()
    check_out = serializers.DateField()
    fencing_token = serializers.IntegerField(
        allow_null=True,
        help_text="A number that is larger than the fencing token of any earlier hold of these rooms. Send it along "
        "when you write to another system about the room. That system should refuse a smaller number than the "
        "largest it has seen, because it comes from a hold that has ended.",
    )
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the hold expires.")
    seconds_left = serializers.IntegerField(
        help_text="Seconds until the hold expires, by the server's clock. 0 unless the status is `held`."
    )
    extensions_left = serializers.IntegerField(help_text="How often the hold can still be extended.")
    reference = serializers.CharField(help_text="Your booking number.")
    reason = serializers.CharField(help_text="Why staff released the hold, or why the room is closed.")
    rooms = AllocatedRoomSerializer(many=True)


class HoldWithTokenSerializer(HoldSerializer):
    token = serializers.CharField(
        help_text="The token that proves ownership of the hold. It is shown only in this response."
    )


class AvailabilityQuerySerializer(NightsSerializer):
    type = serializers.CharField(
        default="", allow_blank=True, max_length=40, help_text="Return only rooms of this type."
    )
    adults = serializers.IntegerField(
        default=1, min_value=1, max_value=100, help_text="Return only rooms with at least this capacity."
    )


class TypeAvailabilitySerializer(ReadOnlySerializer[Any]):
    room_type = serializers.CharField()
    rooms = serializers.IntegerField(help_text="The number of rooms of this type.")
    free = serializers.IntegerField(help_text="The number of these rooms that are free on all nights.")


class AvailabilitySerializer(ReadOnlySerializer[Any]):
    types = TypeAvailabilitySerializer(many=True)
    rooms = RoomSerializer(many=True, source="free", help_text="The rooms that are free on all nights.")
