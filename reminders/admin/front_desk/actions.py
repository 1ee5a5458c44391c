"""The actions that the front desk can take for a reservation, as buttons and links of admin pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from reminders.front_desk.conditions import obstacle_to
from reminders.local_time import today as hotel_today
from reminders.models import Reservation, ReservationStatus
from tenants.unaudited import unaudited


@dataclass(frozen=True, slots=True)
class Action:
    """A button or a link. If `is_post`, a POST request to `url` acts immediately. Otherwise `url` is a page.

    `name` is the last part of the URL's name, such as `check_in`. `is_main` marks the action that is usually next. If
    nothing has to be done for a reservation now, it has no main action.
    """

    name: str
    label: str | Promise
    url: str
    is_post: bool = False
    is_main: bool = False


_LABELS = {
    "confirm": _("Confirm booking"),
    "check_in": _("Check in"),
    "check_out": _("Check out"),
    "assign_room": _("Assign room"),
    "move": _("Move to another room"),
    "dates": _("Change dates"),
    "no_show": _("Mark as no-show"),
    "cancel": _("Cancel reservation"),
}
#: The actions that are shown as the main action if they come first in the order of the buttons.
_MAIN_ACTIONS = frozenset({"confirm", "check_in", "check_out", "assign_room", "no_show"})


@unaudited("The function returns buttons, and no guests.")
def actions_of(
    request: HttpRequest, reservation: Reservation, *, has_room: bool | None = None, today: date | None = None
) -> list[Action]:
    """Return the actions that the user can take for the reservation, the main action first.

    `has_room` and `today` save queries if the caller already knows them.
    """
    scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
    if "reservations:write" not in scopes:
        return []
    day = today or hotel_today()
    roomed = reservation.stay_id is not None if has_room is None else has_room
    names = _names(reservation, roomed=roomed, today=day)
    may_move = "locks:write" in scopes
    return [
        Action(
            name,
            label_of(name, reservation),
            reverse(f"admin:reminders_reservation_{name}", args=[reservation.pk]),
            is_post=name == "check_in" or (name == "check_out" and reservation.departure <= day),
            is_main=index == 0 and name in _MAIN_ACTIONS,
        )
        for index, name in enumerate(names)
        if may_move or name not in {"assign_room", "move", "dates"}
    ]


def _names(reservation: Reservation, *, roomed: bool, today: date) -> list[str]:
    """Return the names of the actions that the reservation allows, in the order of the buttons."""
    names = (
        "confirm",
        *(["check_in"] if roomed else []),
        "check_out",
        "move" if roomed else "assign_room",
        "dates",
        "no_show",
        "cancel",
        "reinstate",
    )
    return [name for name in names if obstacle_to(name, reservation, today=today) is None]


def label_of(name: str, reservation: Reservation) -> str | Promise:
    """Return the label of an action, which is also the title of its page."""
    if name == "reinstate":
        is_in_house = reservation.status == ReservationStatus.CHECKED_IN
        return _("Undo check-in") if is_in_house else _("Undo no-show")
    return _LABELS[name]
