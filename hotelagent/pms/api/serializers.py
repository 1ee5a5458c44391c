"""The serializers of offers, bookings and rates."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from hotelagent.pms.models import Booking, BookingStatus, Rate
from hotelagent.pms.values import Guest, Money, StaySearch
from hotelagent.rest.serializers import ReadOnlySerializer, StrictMixin, StrictSerializer
from locks.api.serializers import NightsSerializer
from locks.policy import MAX_ROOMS


class MoneySerializer(StrictSerializer):
    amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, help_text="The amount as a string."
    )
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="A currency code of ISO 4217.")


class StaySearchSerializer(NightsSerializer):
    adults = serializers.IntegerField(default=1, min_value=1, max_value=100)
    children = serializers.IntegerField(default=0, min_value=0, max_value=100)

    def search(self, *, room_type: str = "") -> StaySearch:
        """Return the validated search. Raises InvalidDateRange."""
        return StaySearch(
            nights=self.nights,
            adults=self.validated_data["adults"],
            children=self.validated_data["children"],
            room_type=room_type,
        )


class OfferSearchSerializer(StaySearchSerializer):
    room_type = serializers.CharField(
        default="", allow_blank=True, max_length=40, help_text="Only offers for this room type."
    )


class OfferSerializer(ReadOnlySerializer[Any]):
    room_type = serializers.CharField()
    free_rooms = serializers.IntegerField(help_text="The number of free rooms of this type.")
    price = MoneySerializer(
        allow_null=True,
        help_text="The price of one room for all nights, or `null` if the hotel has no price for them.",
    )
    taxes_included = serializers.BooleanField(help_text="Whether the price includes taxes.")


class OffersSerializer(ReadOnlySerializer[Any]):
    offers = OfferSerializer(many=True)
    as_of = serializers.DateTimeField(source="as_of_time", help_text="The time at which the PMS was asked.")
    stale = serializers.BooleanField(
        source="is_stale",
        help_text="Whether the offers are older than a minute because the PMS is unavailable.",
    )


class GuestSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    email = serializers.EmailField(default="", allow_blank=True, max_length=254)
    phone = serializers.CharField(default="", allow_blank=True, max_length=40)
    language = serializers.CharField(
        default="", allow_blank=True, max_length=10, help_text="Such as `es` or `pt-br`."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A booking",
            value={
                "room_type": "Standard",
                "check_in": "2031-07-01",
                "check_out": "2031-07-04",
                "adults": 2,
                "guest": {"name": "Ana Reyes", "email": "ana@example.com", "language": "es"},
                "price": {"amount": "360.00", "currency": "EUR"},
            },
            request_only=True,
        )
    ]
)
class MakeBookingSerializer(StaySearchSerializer):
    room_type = serializers.CharField(max_length=40, help_text="One of the room types of the offers.")
    room_count = serializers.IntegerField(
        default=1,
        min_value=1,
        max_value=MAX_ROOMS,
        help_text="The number of rooms. Either all of them are booked or none. `adults` and `children` are the guests "
        "of each room.",
    )
    guest = GuestSerializer()
    price = MoneySerializer(
        allow_null=True,
        default=None,
        help_text="The price of one room that the guest has accepted. If the price has changed since, nothing is "
        "booked. If it is `null`, any price is accepted.",
    )

    @property
    def guest_value(self) -> Guest:
        return Guest(**self.validated_data["guest"])

    @property
    def price_value(self) -> Money | None:
        price = self.validated_data["price"]
        return None if price is None else Money(price["amount"], price["currency"])


class BookingSerializer(serializers.ModelSerializer[Booking]):
    status = serializers.ChoiceField(
        choices=BookingStatus.choices,
        read_only=True,
        help_text="`booked`: the PMS has the booking. `unknown`: the PMS did not answer clearly; the rooms stay held "
        "until the outcome is known. `refused`: nothing was booked.",
    )
    number = serializers.CharField(
        source="pms_id", read_only=True, help_text="The number of the booking in the PMS, or an empty string."
    )
    reservation = serializers.UUIDField(
        source="reservation_id", read_only=True, allow_null=True, help_text="The id of the reservation."
    )
    error = serializers.CharField(
        source="error_message", read_only=True, help_text="The last error, or empty."
    )

    class Meta:
        model = Booking
        fields = (
            "id", "reference", "status", "room_type", "room_count", "check_in", "check_out", "adults", "children",
            "price", "currency", "number", "reservation", "error", "created_at",
        )  # fmt: skip
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Weekends in summer",
            value={
                "room_type": "Standard",
                "first_night": "2031-06-01",
                "last_night": "2031-08-31",
                "weekdays": [5, 6],
                "price": "140.00",
                "minimum_nights": 2,
            },
            request_only=True,
        )
    ]
)
class RateSerializer(StrictMixin, serializers.ModelSerializer[Rate]):
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=7),
        required=False,
        max_length=7,
        help_text="The nights from Monday (1) to Sunday (7). An empty list means all nights.",
    )

    class Meta:
        model = Rate
        fields = ("id", "room_type", "first_night", "last_night", "weekdays", "price", "minimum_nights")
        extra_kwargs = {"minimum_nights": {"min_value": 1, "max_value": 366}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first = attrs.get("first_night", getattr(self.instance, "first_night", None))
        last = attrs.get("last_night", getattr(self.instance, "last_night", None))
        if first and last and last < first:
            raise serializers.ValidationError(
                {"last_night": _("The last night must not be before the first night.")}
            )
        return attrs
