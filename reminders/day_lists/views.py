"""The printable lists of a day: the guests who arrive, and the rooms for housekeeping.

The housekeeping list contains no names, because it is left on trolleys and in corridors.
"""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import require_scopes
from locks import selectors
from reminders.day_lists.guests import GuestList, list_guests
from reminders.day_lists.housekeeping import housekeeping_list
from reminders.models import Reservation
from tenants.signals import personal_data_read

_ONE_DAY = timedelta(days=1)


class DayForm(forms.Form):
    """The query parameter `day` of a list. The list ignores an invalid value."""

    day = forms.DateField(required=False)


def arrivals_view(request: HttpRequest) -> HttpResponse:
    """Show the list of guests who arrive on the requested day, for printing."""
    require_scopes(request, "reservations:read")
    day = _requested_day(request)
    guests = list_guests(GuestList.ARRIVALS, day=day)
    ids = [str(guest.id) for guest in guests]
    personal_data_read.send(Reservation, request=request, kind="reservation", ids=ids)
    context = {"title": _("Arrivals list"), "rows": [(guest, None) for guest in guests]}
    return render(request, "reminders/arrivals_list.html", _context(request, day) | context)


def housekeeping_view(request: HttpRequest) -> HttpResponse:
    """Show the housekeeping list of the requested day, for printing."""
    require_scopes(request, "locks:read")
    day = _requested_day(request)
    context = {"title": _("Housekeeping list"), "list": housekeeping_list(day=day)}
    return render(request, "reminders/housekeeping_list.html", _context(request, day) | context)


def _requested_day(request: HttpRequest) -> date:
    form = DayForm(request.GET)
    form.is_valid()
    day: date | None = form.cleaned_data.get("day")
    # The page has links to the previous day and the next day, so both must be valid dates.
    if day is None or not date.min < day < date.max:
        return selectors.today()
    return day


def _context(request: HttpRequest, day: date) -> dict[str, Any]:
    return {
        **hotel_site.each_context(request),
        "day": day,
        "previous": day - _ONE_DAY,
        "next": day + _ONE_DAY,
        "today": selectors.today(),
    }
