"""Figures for the first page of the hotel's admin."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card
from locks.selectors import today
from reminders.models import Reservation, ReservationStatus


@dashboard.register(scope="reservations:read", order=0)
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
