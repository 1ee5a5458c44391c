"""The room board's page."""

import datetime

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.sites import hotel_site
from locks import selectors
from locks.board.board import board

#: How many nights can be chosen; the first is what is shown to who chooses none.
SPANS = (30, 14, 60)


class BoardForm(forms.Form):
    """What to show; whatever of it makes no sense is left out."""

    first = forms.DateField(required=False)
    nights = forms.TypedChoiceField(
        required=False, coerce=int, choices=[(str(span), str(span)) for span in SPANS], empty_value=None
    )
    type = forms.CharField(required=False, max_length=40)
    floor = forms.IntegerField(required=False, min_value=-99, max_value=999)


def board_page(request: HttpRequest) -> HttpResponse:
    scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
    if "locks:read" not in scopes:
        raise PermissionDenied
    form = BoardForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    today = selectors.today()
    # Yesterday is on the board: who leaves today is still in the house.
    first = asked.get("first") or today - datetime.timedelta(days=1)
    nights = asked.get("nights") or SPANS[0]
    shown = board(
        first=first,
        nights=nights,
        room_type=asked.get("type") or "",
        floor=asked.get("floor"),
        with_guests="reservations:read" in scopes,
    )
    step = datetime.timedelta(days=nights // 2)
    return render(
        request,
        "locks/board.html",
        {
            **hotel_site.each_context(request),
            "title": _("Room board"),
            "board": shown,
            "today": today,
            "first": first,
            "nights": nights,
            "spans": sorted(SPANS),
            "room_type": asked.get("type") or "",
            "floor": asked.get("floor"),
            "earlier": first - step,
            "later": first + step,
            "may_write": "locks:write" in scopes,
        },
    )
