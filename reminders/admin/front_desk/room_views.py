"""The views that assign a room, move a guest to another room, and change the dates of a reservation."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hotelagent.admin.views import require_scopes
from locks.models import MAX_ROOM_ID
from reminders.admin.front_desk.actions import label_of
from reminders.admin.front_desk.requests import call_service, page, read_reservation, redirect
from reminders.admin.front_desk.status_views import View, guest_of
from reminders.admin.front_desk.widgets import date_input, room_groups
from reminders.errors import InvalidReservation, ReservationConflict
from reminders.front_desk.arrivals import check_in
from reminders.front_desk.dates import change_dates
from reminders.front_desk.locked import stays
from reminders.front_desk.rooms import assign_rooms, free_rooms, move_guest, open_nights
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus

_SCOPES = ("reservations:write", "locks:write")


class DatesForm(forms.Form):
    """The dates of a reservation. `version` is the version of the reservation that the page showed."""

    arrival = forms.DateField(label=gettext_lazy("Arrival"), widget=date_input())
    departure = forms.DateField(label=gettext_lazy("Departure"), widget=date_input())
    version = forms.CharField(required=False, widget=forms.HiddenInput)


def _room_view(name: str, act: Callable[[HttpRequest, Reservation], bool]) -> View:
    """Return the view of an action: GET shows the rooms that are free for the reservation, and POST calls `act`."""

    def view(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        require_scopes(request, *_SCOPES)
        reservation = read_reservation(pk)
        if request.method == "POST":
            if act(request, reservation):
                return redirect(request, pk)
            reservation.refresh_from_db()
        return _rooms_page(request, reservation, title=label_of(name, reservation))

    return view


def _assign(request: HttpRequest, reservation: Reservation) -> bool:
    """Assign the chosen rooms. Check the guest in if the user requested this. Return whether no error occurred."""

    def assign() -> Reservation:
        with transaction.atomic():
            assigned = assign_rooms(
                reservation_id=reservation.pk,
                rooms=chosen_rooms(request),
                version=request.POST.get("version"),
            )
            return check_in(reservation_id=assigned.pk) if "check_in" in request.POST else assigned

    def done(changed: Reservation) -> str:
        if changed.status == ReservationStatus.CHECKED_IN:
            return _("{guest} has checked in.").format(guest=guest_of(changed))
        return _("The room was assigned to {guest}.").format(guest=guest_of(changed))

    return call_service(request, assign, done=done)


def _move(request: HttpRequest, reservation: Reservation) -> bool:
    """Move the guest to the chosen room. Return whether no error occurred."""

    def move() -> Reservation:
        [room] = chosen_rooms(request, limit=1)
        return move_guest(
            reservation_id=reservation.pk,
            stay_id=_chosen_stay(request),
            room=room,
            version=request.POST.get("version"),
        )

    return call_service(
        request,
        move,
        done=lambda moved: _("{guest} was moved to another room.").format(guest=guest_of(moved)),
    )


def dates_view(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show the form for the dates of a reservation, and change the dates."""
    require_scopes(request, *_SCOPES)
    reservation = read_reservation(pk)
    dates = {"arrival": reservation.arrival, "departure": reservation.departure}
    form = DatesForm(request.POST or None, initial={**dates, "version": reservation.version})
    if reservation.status == ReservationStatus.CHECKED_IN:
        form.fields["arrival"].disabled = True
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        version = values.pop("version") or None
        if call_service(
            request,
            lambda: change_dates(reservation_id=pk, version=version, **values),
            done=lambda _changed: _("The dates were changed."),
        ):
            return redirect(request, pk)
    return page(request, "dates.html", reservation, title=label_of("dates", reservation), form=form)


ROOM_PAGES: dict[str, View] = {
    "assign_room": _room_view("assign_room", _assign),
    "move": _room_view("move", _move),
    "dates": dates_view,
}


def chosen_rooms(request: HttpRequest, *, limit: int | None = None) -> list[int]:
    """Return the ids of the rooms that the user chose. Raises InvalidReservation if the number of rooms is wrong."""
    rooms = [
        int(room) for room in request.POST.getlist("room") if room.isdecimal() and int(room) <= MAX_ROOM_ID
    ]
    if not rooms:
        raise InvalidReservation(_("Choose a room."), errors={"room": [_("Choose a room.")]})
    return rooms[:limit]


def _chosen_stay(request: HttpRequest) -> uuid.UUID:
    """Return the id of the stay that moves. Raises ReservationConflict if the page had no valid id."""
    try:
        return uuid.UUID(request.POST.get("stay", ""))
    except ValueError:
        raise ReservationConflict(_("Choose the room that the guest leaves.")) from None


def _rooms_page(request: HttpRequest, reservation: Reservation, *, title: Any) -> HttpResponse:
    current = stays(reservation)
    return page(
        request,
        "rooms.html",
        reservation,
        title=title,
        stays=current,
        nights=open_nights(reservation),
        groups=room_groups(free_rooms(reservation)),
        may_check_in=not current
        and reservation.status == ReservationStatus.BOOKED
        and reservation.arrival <= today() <= reservation.departure,
    )
