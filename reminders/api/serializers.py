"""Serializers for reservations and reminders."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from hotelagent.rest.serializers import StrictMixin, StrictSerializer
from locks.api.serializers import OwnerSerializer
from reminders.models import Reminder, Reservation, SkipReason
from reminders.models.validators import stay_dates_error, validate_country


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    """A reservation that `selectors.reservations()` returned."""

    rooms = serializers.ListField(
        source="room_numbers",
        child=serializers.CharField(),
        read_only=True,
        help_text="The numbers of the rooms of the stay. Empty if no room is assigned.",
    )
    nights = serializers.IntegerField(read_only=True)

    class Meta:
        model = Reservation
        fields = (
            "id", "external_id", "status", "arrival", "departure", "nights", "guest_name", "guest_email",
            "guest_phone", "language", "country", "adults", "children", "room_type", "rooms", "source", "booked_on",
            "status_date", "checked_in_at", "checked_out_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("id", "external_id", "checked_in_at", "checked_out_at", "updated_at")
        extra_kwargs = {
            "checked_in_at": {
                "help_text": "The time of the check-in. Null if it is not known or has not happened."
            },
            "checked_out_at": {
                "help_text": "The time of the check-out. Null if it is not known or has not happened."
            },
        }


class HoldReferenceSerializer(OwnerSerializer):
    """The hold of a booking, with the values that the response to the new hold contained."""

    id = serializers.UUIDField(
        help_text="The id of the hold. If several rooms were held together, all are meant."
    )


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
        ),
        OpenApiExample(
            "A booking with a hold",
            value={
                "arrival": "2031-07-01",
                "departure": "2031-07-04",
                "guest_name": "Ana Lima",
                "guest_email": "ana@example.com",
                "hold": {
                    "id": "0198b7d2-6c1e-7c52-9a53-0c1f2f6d8a11",
                    "token": "mVd0…",
                    "fencing_token": 8,
                },
            },
            request_only=True,
        ),
    ]
)
class PutReservationSerializer(StrictMixin, serializers.ModelSerializer[Reservation]):
    """The complete booking in a PUT request. Omitted fields are reset to their default values, except for `hold`."""

    hold = HoldReferenceSerializer(
        required=False,
        help_text="The hold of the rooms, or the stay that it has become. It is confirmed if necessary. The "
        "reservation gets the stay, and its former stay is cancelled. Omit `hold` to keep the stay.",
    )

    class Meta:
        model = Reservation
        fields = (
            "arrival", "departure", "guest_name", "guest_email", "guest_phone", "language", "country", "adults",
            "children", "room_type", "source", "status", "booked_on", "status_date", "hold",
        )  # fmt: skip
        extra_kwargs = {
            "guest_email": {"help_text": "The address for reminders. Without an address, none are sent."},
            "language": {
                "help_text": "The language of e-mails as a BCP 47 tag, such as `es` or `pt-br`. Empty for the language "
                "of the hotel."
            },
            "country": {
                "help_text": "The country as an ISO 3166 code, such as `ESP` or `ES`.",
                "validators": [validate_country],
            },
            "status_date": {"help_text": "The day on which the booking got its status."},
            "adults": {"min_value": 1, "error_messages": {"min_value": _("Enter at least one adult.")}},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if error := stay_dates_error(attrs["arrival"], attrs["departure"]):
            raise serializers.ValidationError(dict([error]))
        return attrs


class ReminderSerializer(serializers.ModelSerializer[Reminder]):
    reservation_number = serializers.CharField(source="reservation.external_id", read_only=True)
    rule_name = serializers.CharField(source="rule.name", read_only=True)
    skip_reason = serializers.ChoiceField(choices=SkipReason.choices, allow_blank=True, read_only=True)
    last_error = serializers.CharField(
        source="error_message",
        read_only=True,
        help_text="The last error, or empty. It is in the language of `Accept-Language`, except for replies of mail "
        "servers and providers, which are quoted.",
    )

    class Meta:
        model = Reminder
        fields = (
            "id", "status", "skip_reason", "reservation", "reservation_number", "rule", "rule_name", "arrival",
            "planned_for", "send_until", "sent_at", "opened_at", "recipient", "attempts", "last_error",
        )  # fmt: skip
        read_only_fields = fields


class SettleReminderSerializer(StrictSerializer):
    was_sent = serializers.BooleanField(help_text="Whether the guest's mail server has accepted the e-mail.")
