"""How rooms, holds and what is free look over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from hotelagent.rest.serializers import ReadOnlySerializer, StrictMixin, StrictSerializer
from locks import policy
from locks.holds import AllocatedRoom, Hold
from locks.models import AllocationStatus, Room
from locks.nights import Nights

_ROOM_ID = "0198b7d2-6c1e-7c52-9a53-0c1f2f6d8a11"
_HOLD: dict[str, Any] = {
    "id": _ROOM_ID,
    "group": None,
    "status": "held",
    "check_in": "2031-07-01",
    "check_out": "2031-07-04",
    "fencing_token": 8,
    "expires_at": "2031-05-12T10:20:00Z",
    "seconds_left": 1200,
    "extensions_left": 2,
    "reference": "WEB-1042",
    "reason": "",
    "rooms": [{"id": _ROOM_ID, "room": 12, "number": "204", "room_type": "double"}],
}


class RoomSerializer(StrictMixin, serializers.ModelSerializer[Room]):
    class Meta:
        model = Room
        fields = ("id", "number", "room_type", "floor", "capacity")
        # The service answers for it: a check beforehand would only be true until it is used.
        extra_kwargs = {"number": {"validators": []}, "capacity": {"min_value": 1}}


class NightsSerializer(StrictSerializer):
    """`[check_in, check_out)`: one may arrive on the day another leaves."""

    check_in = serializers.DateField(help_text="The first night.")
    check_out = serializers.DateField(help_text="The day of departure: the first night not stayed.")

    @property
    def nights(self) -> Nights:
        """Raises what `Nights` raises: each is an answer of its own."""
        return Nights(self.validated_data["check_in"], self.validated_data["check_out"])


# For one guest's visit, now or when it is free; which rooms, each says for itself.
class WantedSerializer(NightsSerializer):
    guests = serializers.IntegerField(
        default=1, min_value=1, max_value=100, help_text="How many each room must sleep, with `room_type`."
    )
    session = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=64,
        help_text="Your own name for one guest's visit, so that one guest can't hold the whole house. "
        "An opaque string; never a name or an address.",
    )
    reference = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="Your own number for the booking."
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
class NewHoldSerializer(WantedSerializer):
    room = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The id of this room. One of `room`, `rooms` and `room_type` says what is wanted.",
    )
    rooms = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        required=False,
        allow_empty=False,
        max_length=policy.MAX_ROOMS,
        help_text="The ids of these rooms, all of them or none.",
    )
    room_type = serializers.CharField(
        required=False, max_length=40, help_text="Any rooms of this type that are free."
    )
    count = serializers.IntegerField(
        default=1, min_value=1, max_value=policy.MAX_ROOMS, help_text="How many rooms, with `room_type`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("room", "rooms", "room_type")) != 1:
            raise serializers.ValidationError("Give one of `room`, `rooms` and `room_type`.")
        if "room" in attrs:
            attrs["rooms"] = [attrs.pop("room")]
        return attrs


class TokenSerializer(StrictSerializer):
    token = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        max_length=200,
        help_text="The token that came with the hold. Staff need none for the holds they made themselves.",
    )


class ConfirmSerializer(TokenSerializer):
    fencing_token = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, help_text="The fencing token that came with the hold."
    )
    reference = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="Your number for the booking, where it is new."
    )


class ForceReleaseSerializer(StrictSerializer):
    reason = serializers.CharField(
        max_length=200, help_text="Why; the owner can read it, and so can the trail."
    )


class OutOfServiceSerializer(NightsSerializer):
    room = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=200)

    @property
    def nights(self) -> Nights:
        given = self.validated_data
        return Nights(given["check_in"], given["check_out"], limit=policy.MAX_CLOSURE_NIGHTS)


class MoveSerializer(NightsSerializer):
    room = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="The room to move to.")


class HeldRoomSerializer(ReadOnlySerializer[AllocatedRoom]):
    id = serializers.UUIDField(help_text="Extends, releases or confirms this room alone.")
    room = serializers.IntegerField(source="room_id")
    number = serializers.CharField()
    room_type = serializers.CharField()


@extend_schema_serializer(examples=[OpenApiExample("A hold", value=_HOLD, response_only=True)])
class HoldSerializer(ReadOnlySerializer[Hold]):
    """One room, or several that were taken together."""

    id = serializers.UUIDField(help_text="Extends, releases or confirms all of its rooms.")
    group = serializers.UUIDField(
        allow_null=True, help_text="What this was taken together with, where it was several rooms."
    )
    status = serializers.ChoiceField(choices=AllocationStatus.choices)
    check_in = serializers.DateField()
    check_out = serializers.DateField()
    fencing_token = serializers.IntegerField(
        allow_null=True,
        help_text="Larger than that of any earlier hold of these rooms: send it along when you write to "
        "another system about the room, and let that refuse what is smaller than what it has seen.",
    )
    expires_at = serializers.DateTimeField(allow_null=True)
    seconds_left = serializers.IntegerField(help_text="By the server's clock; zero unless it is held.")
    extensions_left = serializers.IntegerField()
    reference = serializers.CharField()
    reason = serializers.CharField(help_text="Why staff ended it, or why the room is out of service.")
    rooms = HeldRoomSerializer(many=True)


@extend_schema_serializer(
    examples=[OpenApiExample("A new hold", value={**_HOLD, "token": "mVd0…"}, response_only=True)]
)
class MadeHoldSerializer(HoldSerializer):
    token = serializers.CharField(help_text="Shown once. Whoever has it owns the hold.")


class AvailabilityQuerySerializer(NightsSerializer):
    type = serializers.CharField(default="", max_length=40, help_text="Rooms of this type only.")
    adults = serializers.IntegerField(
        default=1, min_value=1, max_value=100, help_text="Rooms that sleep so many."
    )


class TypeCountSerializer(ReadOnlySerializer[Any]):
    room_type = serializers.CharField()
    rooms = serializers.IntegerField(help_text="How many the hotel has.")
    free = serializers.IntegerField(help_text="How many are free on all of these nights.")


class AvailabilitySerializer(ReadOnlySerializer[Any]):
    types = TypeCountSerializer(many=True)
    rooms = RoomSerializer(many=True, source="free")
