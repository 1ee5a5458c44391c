"""A filter for admin lists that shows the rows of a period, from a start time to an end time."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str


class PeriodFilter(RangeDateTimeFilter):  # type: ignore[misc]
    """Filters the rows of an admin list by a period.

    Start and end are entered in the time zone of the hotel. Invalid times are ignored.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self._time("from"), self._time("to")
        if start:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": start})
        if end:
            queryset = queryset.filter(**{f"{self.parameter_name}__lte": end})
        return queryset

    def _time(self, name: str) -> datetime | None:
        day, time = (self.used_parameters.get(f"{self.parameter_name}_{name}_{part}") for part in (0, 1))
        parsed = parse_datetime_str(f"{day} {time}") if day and time else None
        return make_aware(parsed) if parsed else None
