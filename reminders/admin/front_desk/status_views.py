"""The views of check-in, check-out, no-show, cancellation and their reversal, and the panel on the room board."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.views import require_scopes
from reminders.admin.front_desk.actions import actions_of, label_of
from reminders.admin.front_desk.requests import (
    call_service,
    next_url,
    page,
    read_reservation,
    redirect,
    report_read,
)
from reminders.front_desk import arrivals
from reminders.front_desk.locked import stays
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import cancel_reservation

View = Callable[[HttpRequest, uuid.UUID], HttpResponse]


@dataclass(frozen=True, slots=True)
class Operation:
    """A service that changes the status of a reservation.

    `done` is the message after the operation. `consequence` returns what will happen, for the page on which the user
    confirms the operation.
    """

    service: Callable[..., Reservation]
    done: str | Promise
    consequence: Callable[[Reservation], str | Promise]


def _check_out_consequence(reservation: Reservation) -> str | Promise:
    if reservation.departure > today():
        return _(
            "The guest leaves before the booked departure. The remaining nights become free immediately."
        )
    return _("The guest leaves today.")


def _reinstate_consequence(reservation: Reservation) -> str | Promise:
    if reservation.status == ReservationStatus.NO_SHOW:
        return _("The reservation becomes “booked” again and has no room. Assign a room before the check-in.")
    return _("The reservation becomes “booked” again and keeps the room.")


def _confirm_consequence(reservation: Reservation) -> str | Promise:
    if reservation.stay_id is None:
        return _("The inquiry becomes a booking, and its reminders are planned. Assign a room.")
    return _("The inquiry becomes a booking, keeps the room, and its reminders are planned.")


OPERATIONS = {
    "confirm": Operation(
        arrivals.confirm_inquiry, _("The booking of {guest} is confirmed."), _confirm_consequence
    ),
    "check_in": Operation(
        arrivals.check_in,
        _("{guest} has checked in."),
        lambda _reservation: _("The guest arrives today."),
    ),
    "check_out": Operation(arrivals.check_out, _("{guest} has checked out."), _check_out_consequence),
    "no_show": Operation(
        arrivals.mark_no_show,
        _("The reservation of {guest} was marked as a no-show."),
        lambda _reservation: _(
            "The guest did not arrive. The coming nights are free again, and scheduled reminders are cancelled."
        ),
    ),
    "cancel": Operation(
        cancel_reservation,
        _("The reservation of {guest} was cancelled."),
        lambda _reservation: _(
            "The room becomes available immediately, and scheduled reminders are cancelled."
        ),
    ),
    "reinstate": Operation(
        arrivals.reinstate,
        _("The reservation of {guest} is booked again."),
        _reinstate_consequence,
    ),
}


def operation_view(name: str) -> View:
    """Return the view of an operation of `OPERATIONS`: GET shows a page that asks for confirmation, and POST acts."""

    operation = OPERATIONS[name]

    def view(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        require_scopes(request, "reservations:write")
        if request.method == "POST":
            call_service(
                request,
                lambda: operation.service(reservation_id=pk),
                done=lambda changed: str(operation.done).format(guest=guest_of(changed)),
            )
            return redirect(request, pk)
        reservation = read_reservation(pk)
        return page(
            request,
            "confirm.html",
            reservation,
            title=label_of(name, reservation),
            consequence=operation.consequence(reservation),
        )

    return view


def panel_view(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Return the content of the panel that the room board shows for a stay: guest, dates, rooms and actions."""
    require_scopes(request, "reservations:read")
    reservation = read_reservation(pk)
    report_read(request, reservation)
    rooms = stays(reservation)
    return render(
        request,
        "reminders/front_desk/panel.html",
        {
            "reservation": reservation,
            "stays": rooms,
            "actions": actions_of(request, reservation, has_room=bool(rooms)),
            "next": next_url(request, pk),
        },
    )


def guest_of(reservation: Reservation) -> str:
    """Return the name of the guest, or the reservation number if the name is unknown."""
    return reservation.guest_name or reservation.external_id
