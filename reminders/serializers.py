"""How reservations and reminders look over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from hotelagent.rest.serializers import StrictMixin, StrictSerializer
from reminders.models import Reminder, Reservation, SkipReason
from reminders.models.validators import stay_dates_error, validate_country


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    room = serializers.CharField(
        source="stay.room.number",
        default=None,
        allow_null=True,
        read_only=True,
        help_text="The room's number, once one is given.",
    )
    nights = serializers.IntegerField(read_only=True)

    class Meta:
        model = Reservation
        fields = (
            "id", "external_id", "status", "arrival", "departure", "nights", "guest_name", "guest_email",
            "guest_phone", "language", "country", "adults", "children", "room_type", "room", "source", "booked_on",
            "status_date", "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "external_id", "updated_at")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A booking",
            value={
                "arrival": "2031-07-01",
                "departure": "2031-07-04",
                "guest_name": "Ana Lima",
                "guest_email": "ana@example.com",
                "language": "pt",
                "adults": 2,
            },
            request_only=True,
        )
    ]
)
class PutReservationSerializer(StrictMixin, serializers.ModelSerializer[Reservation]):
    """All that the hotel's system knows of the booking; what is left out goes back to its default."""

    class Meta:
        model = Reservation
        fields = (
            "arrival", "departure", "guest_name", "guest_email", "guest_phone", "language", "country", "adults",
            "children", "room_type", "source", "status", "booked_on", "status_date",
        )  # fmt: skip
        extra_kwargs = {
            "guest_email": {"help_text": "Where the reminders go; without one none does."},
            "language": {"help_text": "Of the mails, BCP 47: `es`, `pt-br`. Empty: the hotel's."},
            "country": {"help_text": "ISO 3166: `ESP` or `ES`.", "validators": [validate_country]},
            "status_date": {"help_text": "The day from which the status holds."},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if flaw := stay_dates_error(attrs["arrival"], attrs["departure"]):
            raise serializers.ValidationError(dict([flaw]))
        if attrs.get("adults", 1) < 1:
            raise serializers.ValidationError({"adults": "At least one adult."})
        return attrs


class ReminderSerializer(serializers.ModelSerializer[Reminder]):
    reservation_number = serializers.CharField(source="reservation.external_id", read_only=True)
    rule_name = serializers.CharField(source="rule.name", read_only=True)
    skip_reason = serializers.ChoiceField(choices=SkipReason.choices, allow_blank=True, read_only=True)
    last_error = serializers.CharField(
        source="error_message",
        read_only=True,
        help_text="What went wrong the last time, in the language of `Accept-Language` but for what a mail server "
        "or a provider said. Empty: nothing did.",
    )

    class Meta:
        model = Reminder
        fields = (
            "id", "status", "skip_reason", "reservation", "reservation_number", "rule", "rule_name", "arrival",
            "planned_for", "send_until", "sent_at", "opened_at", "recipient", "attempts", "last_error",
        )  # fmt: skip
        read_only_fields = fields


class SettleSerializer(StrictSerializer):
    was_sent = serializers.BooleanField(
        help_text="Whether the mail reached the guest's mail server after all."
    )
