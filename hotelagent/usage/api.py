"""The REST API of a hotel's own daily usage."""

from typing import cast
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.urls import path
from django.utils.translation import gettext_lazy as _
from rest_framework import mixins, serializers

from hotelagent.rest.views import HotelViewSet
from tenants.context import current_hotel
from tenants.models import HotelUsage


class UsageSerializer(serializers.ModelSerializer[HotelUsage]):
    class Meta:
        model = HotelUsage
        fields = (
            "id",
            "hotel",
            "day",
            "counted_at",
            "reservations",
            "stays",
            "holds",
            "reminders_sent",
            "reminders_failed",
            "api_calls",
            "failures_open",
            "storage_bytes",
            "staff",
        )
        read_only_fields = fields
        extra_kwargs = {
            "day": {"help_text": "The day in the hotel's time zone."},
            "counted_at": {
                "help_text": "The time at which the numbers were counted, after the end of the day."
            },
            "reservations": {"help_text": "Reservations that were created on this day."},
            "stays": {"help_text": "Rooms with a confirmed stay in the night that begins on this day."},
            "holds": {"help_text": "Holds that were acquired on this day, whatever became of them."},
            "reminders_sent": {"help_text": "Reminders that were sent on this day."},
            "reminders_failed": {"help_text": "Reminders that were planned for this day and have failed."},
            "api_calls": {
                "help_text": "Requests with an API key that the rate limit allowed. "
                "Null for days before the first count."
            },
            "failures_open": {
                "help_text": "Open failures at the time `counted_at`. Null for days that were counted late."
            },
            "storage_bytes": {
                "help_text": "Size of the hotel's tables and indexes. Null for days that were counted late."
            },
            "staff": {"help_text": "Active accounts of staff. Null for days that were counted late."},
        }


class UsageFilter(django_filters.FilterSet):  # type: ignore[misc]
    day_from = django_filters.DateFilter("day", "gte", label=_("Only this day and later days."))
    day_to = django_filters.DateFilter("day", "lte", label=_("Only this day and earlier days."))


class UsageViewSet(mixins.ListModelMixin, HotelViewSet):
    """The days of the hotel, the newest count first. A day is counted soon after its end in the hotel's time zone."""

    serializer_class = UsageSerializer
    filterset_class = UsageFilter
    required_scopes = {"GET": "usage:read"}
    queryset = HotelUsage.objects.all()

    def get_queryset(self) -> QuerySet[HotelUsage]:
        return HotelUsage.objects.filter(hotel_id=cast("UUID", current_hotel().id))


urlpatterns = [path("usage/", UsageViewSet.as_view({"get": "list"}), name="usage-list")]
