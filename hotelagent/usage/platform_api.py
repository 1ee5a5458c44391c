"""The REST API of the daily usage of all hotels, on the platform's host."""

import django_filters
from django.db.models import QuerySet
from django.urls import path
from django.utils.translation import gettext_lazy as _

from hotelagent.usage.api import UsageFilter, UsageViewSet
from tenants.models import HotelUsage


class HotelsUsageFilter(UsageFilter):
    hotel = django_filters.UUIDFilter("hotel_id", label=_("Only the hotel with this id."))


class HotelsUsageViewSet(UsageViewSet):
    """The days of all hotels, the newest count first. A day is counted soon after its end in the hotel's time zone."""

    filterset_class = HotelsUsageFilter

    def get_queryset(self) -> QuerySet[HotelUsage]:
        return HotelUsage.objects.all()


urlpatterns = [path("usage/", HotelsUsageViewSet.as_view({"get": "list"}), name="usage-list")]
