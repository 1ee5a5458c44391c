"""The views of the room board and of the occupancy of a month."""

import datetime

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import require_scopes
from locks import selectors
from locks.board.grid import read_grid
from locks.board.guest_names import booking_page_url
from locks.board.month import read_month
from locks.board.next_steps import ADD_ROOM, GENERATE_ROOMS, IMPORT_ROOMS
from tenants.signals import personal_data_read

#: Choices for the number of nights that the board shows. The first choice is the default.
NIGHTS_CHOICES = (30, 14, 60)
#: The links that the room board shows if the hotel has no rooms.
_FIRST_STEPS = (GENERATE_ROOMS, IMPORT_ROOMS, ADD_ROOM)


class BoardForm(forms.Form):
    """The query parameters of the board. Values that are not valid are ignored."""

    first = forms.DateField(required=False)
    nights = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(str(nights), str(nights)) for nights in NIGHTS_CHOICES],
        empty_value=None,
    )
    type = forms.CharField(required=False, max_length=40)
    floor = forms.IntegerField(required=False, min_value=-99, max_value=999)


def board_view(request: HttpRequest) -> HttpResponse:
    require_scopes(request, "locks:read")
    scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
    form = BoardForm(request.GET)
    form.is_valid()
    query = form.cleaned_data
    today = selectors.today()
    # The board begins with last night, because guests who check out today stayed last night.
    first = query.get("first") or today - datetime.timedelta(days=1)
    nights = query.get("nights") or NIGHTS_CHOICES[0]
    room_type = query.get("type") or ""
    floor = query.get("floor")
    grid = read_grid(
        first=first,
        nights=nights,
        room_type=room_type,
        floor=floor,
        with_guests="reservations:read" in scopes,
    )
    guest_stays = [str(bar.id) for row in grid.rows for bar in row.bars if bar.guest]
    personal_data_read.send(None, request=request, kind="stay", ids=guest_stays)
    has_rooms = bool(grid.types)
    step = datetime.timedelta(days=nights // 2)
    return render(
        request,
        "locks/board.html",
        {
            **hotel_site.each_context(request),
            "title": _("Room board"),
            "grid": grid,
            "today": today,
            "first": first,
            "nights": nights,
            "nights_choices": sorted(NIGHTS_CHOICES),
            "room_type": room_type,
            "floor": floor,
            "earlier": first - step,
            "later": first + step,
            "may_write": "locks:write" in scopes,
            "has_rooms": has_rooms,
            "next_steps": [step for step in _FIRST_STEPS if step.scope in scopes and not has_rooms],
            "booking_url": booking_page_url() if {"locks:write", "reservations:write"} <= scopes else None,
        },
    )


class MonthForm(forms.Form):
    """The query parameter of the occupancy page: a day of the month. A value that is not valid is ignored."""

    month = forms.DateField(required=False)


def month_view(request: HttpRequest) -> HttpResponse:
    """Show the occupancy of the requested month, or of the current month."""
    require_scopes(request, "locks:read")
    form = MonthForm(request.GET)
    form.is_valid()
    today = selectors.today()
    month = (form.cleaned_data.get("month") or today).replace(day=1)
    # The weeks of the years 1 and 9999 may contain days that Python's dates can't represent.
    if not datetime.date.min.year < month.year < datetime.date.max.year:
        month = today.replace(day=1)
    weeks = read_month(month=month, first_weekday=int(get_format("FIRST_DAY_OF_WEEK")))
    return render(
        request,
        "locks/month.html",
        {
            **hotel_site.each_context(request),
            "title": _("Occupancy"),
            "weeks": weeks,
            "month": month,
            "today": today,
            "previous": month - datetime.timedelta(days=1),
            "next": month + datetime.timedelta(days=31),
        },
    )
