"""The pages of the daily usage in the platform's admin: a list of the hotels, and a page for each hotel."""

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dlq.events import NAMES
from hotelagent.admin.sites import platform_site
from hotelagent.admin.views import require_scopes
from hotelagent.cards import STYLESHEET
from hotelagent.usage.selectors import CURRENT, DAILY, WeekSums, read_days, read_week_sums
from tenants.database.clock import database_now
from tenants.models import Hotel, HotelUsage

#: Maximum number of hotels on the list.
LIMIT = 100
WEEKS = 12
#: Number of days in the table of a hotel's page.
DAYS = 14
_WEEK = datetime.timedelta(days=7)

NAMES |= {
    "hotelagent.usage.tasks.schedule_counts": gettext_lazy("counting the usage of all hotels"),
    "hotelagent.usage.tasks.count_usage": gettext_lazy("counting the usage of a hotel"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with the number of one week. `height` is its height in percent of the highest bar."""

    first_day: datetime.date
    text: str
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    title: str | Promise
    bars: list[Bar]


def usage_list(request: HttpRequest) -> HttpResponse:
    """Show the hotels with the largest number in the parameter `order`, and the growth of each number."""
    require_scopes(request, "usage:read")
    labels = DAILY | CURRENT
    order = request.GET.get("order", "")
    if order not in labels:
        order = "reservations"
    rows = read_week_sums(database_now().date())
    rows.sort(key=lambda row: (-_order_value(row, order), row.name))
    context = {
        **platform_site.each_context(request),
        "title": _("Usage per hotel"),
        "rows": [(row, _cells(row)) for row in rows[:LIMIT]],
        "labels": labels,
        "order": order,
        "shown": min(len(rows), LIMIT),
        "total": Hotel.objects.count(),
        "stylesheet": STYLESHEET,
    }
    return TemplateResponse(request, "hotelagent/usage/list.html", context)


def usage_of_hotel(request: HttpRequest, hotel_id: UUID) -> HttpResponse:
    """Show the growth of a hotel by week, and the numbers of its last days."""
    require_scopes(request, "usage:read")
    hotel = get_object_or_404(Hotel, pk=hotel_id)
    days = read_days(hotel.pk, since=database_now().date() - WEEKS * _WEEK)
    names = [*DAILY, *CURRENT]
    context = {
        **platform_site.each_context(request),
        "title": _("Usage of {hotel}").format(hotel=hotel.name),
        "hotel": hotel,
        "charts": [Chart(label, _bars(days, name)) for name, label in (DAILY | CURRENT).items()]
        if days
        else [],
        "labels": (DAILY | CURRENT).values(),
        "days": [
            (row.day, [_text(name, getattr(row, name)) for name in names]) for row in reversed(days[-DAYS:])
        ],
        "stylesheet": STYLESHEET,
    }
    return TemplateResponse(request, "hotelagent/usage/hotel.html", context)


def _order_value(row: WeekSums, order: str) -> int:
    return row.last[order] if order in DAILY else row.current[order] or 0


def _cells(row: WeekSums) -> list[tuple[str, int | None]]:
    """Return the texts of a row of the list, each with the growth in percent or None."""
    growth = row.growth
    return [
        *((_text(name, value), growth[name]) for name, value in row.last.items()),
        *((_text(name, value), None) for name, value in row.current.items()),
    ]


def _bars(days: list[HotelUsage], name: str) -> list[Bar]:
    """Return a bar for each week. The last week ends with the newest counted day.

    A bar shows the sum of the week, or the newest number of the week for numbers that cannot be added. Only complete
    weeks are shown, unless the hotel has less than one.
    """
    weeks: dict[int, list[HotelUsage]] = {}
    for row in days:
        weeks.setdefault((days[-1].day - row.day).days // 7, []).append(row)
    numbers = []
    for week in sorted(weeks, reverse=True):
        rows = weeks[week]
        if week and len(rows) < _WEEK.days and week == max(weeks):
            continue
        known = [value for row in rows if (value := getattr(row, name)) is not None]
        numbers.append((rows[0].day, (sum(known) if name in DAILY else known[-1]) if known else None))
    highest = max((number or 0 for _day, number in numbers), default=0) or 1
    return [Bar(day, _text(name, number), round(100 * (number or 0) / highest)) for day, number in numbers]


def _text(name: str, number: int | None) -> str:
    if number is None:
        return "-"
    return filesizeformat(number) if name == "storage_bytes" else number_format(number, force_grouping=True)
