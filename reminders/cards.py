"""Figures for the first page of the hotel's admin."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card, Panel
from locks.selectors import today
from reminders import selectors
from reminders.models import Reservation, ReservationStatus

ARRIVALS_SHOWN = 8


@dashboard.register_card(scope="reservations:read", order=0)
def arrivals_today(_request: HttpRequest) -> Card:
    day = today()
    expected = Reservation.objects.filter(
        status__in=[ReservationStatus.BOOKED, ReservationStatus.CHECKED_OUT]
    )
    leaving = expected.filter(departure=day).count()
    return Card(
        title=_("Arrivals today"),
        value=expected.filter(arrival=day).count(),
        note=ngettext("%(count)d departure", "%(count)d departures", leaving) % {"count": leaving},
        url=reverse("admin:reminders_reservation_changelist")
        + f"?arrival__year={day.year}&arrival__month={day.month}&arrival__day={day.day}",
        icon="luggage",
    )


@dashboard.register_panel(scope="reminders:read", order=0)
def reminders_by_day(_request: HttpRequest) -> Panel:
    return Panel("reminders/chart.html", chart(), stylesheet="reminders/reminders.css")


@dashboard.register_panel(scope="reservations:read", order=10)
def who_arrives(_request: HttpRequest) -> Panel | None:
    """Who is expected today, by name; the list has the others."""
    arriving = Reservation.objects.select_related("stay__room").filter(
        arrival=today(), status=ReservationStatus.BOOKED
    )
    shown = list(arriving.order_by("guest_name", "id")[:ARRIVALS_SHOWN])
    if not shown:
        return None
    return Panel("reminders/arrivals.html", {"reservations": shown}, stylesheet="reminders/reminders.css")


def chart() -> dict[str, Any]:
    """The days of the chart; heights are per cent of the fullest day's."""
    days = selectors.by_day()
    most = max((day.planned for day in days), default=0) or 1
    bars = [
        {
            "day": day,
            "planned": 100 * day.planned // most,
            "sent": 100 * day.sent // most,
            "troubled": 100 * day.troubled // most,
        }
        for day in days
    ]
    return {"bars": bars, "today": today()}
