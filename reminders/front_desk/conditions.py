"""The conditions of the front desk's actions: the statuses and the dates on which a reservation allows an action.

The services check the conditions under the lock of the reservation. The pages offer the actions whose conditions hold.
"""

from __future__ import annotations

from datetime import date

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reminders.models import NEEDS_ROOM, Reservation, ReservationStatus

_EXPECTED = frozenset({ReservationStatus.BOOKED, ReservationStatus.INQUIRY})
#: Maps each action of the front desk to the reservation statuses that allow the action.
_STATUSES = {
    "confirm": frozenset({ReservationStatus.INQUIRY}),
    "check_in": frozenset({ReservationStatus.BOOKED}),
    "check_out": frozenset({ReservationStatus.CHECKED_IN}),
    "assign_room": NEEDS_ROOM,
    "move": NEEDS_ROOM,
    "dates": NEEDS_ROOM,
    "no_show": _EXPECTED,
    "cancel": _EXPECTED,
    "reinstate": frozenset({ReservationStatus.CHECKED_IN, ReservationStatus.NO_SHOW}),
}
_STATUS_OBSTACLES = {
    ReservationStatus.BOOKED: gettext_lazy("The guest has not checked in."),
    ReservationStatus.INQUIRY: gettext_lazy("The guest has not confirmed the booking."),
    ReservationStatus.CHECKED_IN: gettext_lazy("The guest has already checked in."),
    ReservationStatus.CHECKED_OUT: gettext_lazy("The guest has already checked out."),
    ReservationStatus.NO_SHOW: gettext_lazy("The reservation is marked as a no-show."),
    ReservationStatus.CANCELLED: gettext_lazy("The reservation is cancelled."),
}


def obstacle_to(action: str, reservation: Reservation, *, today: date) -> str | Promise | None:
    """Return why the reservation does not allow the action, or None if the reservation allows the action.

    `today` is the current date in the hotel's time zone. Rooms are not checked.
    """
    if reservation.status not in _STATUSES[action]:
        return _STATUS_OBSTACLES[ReservationStatus(reservation.status)]
    check = {
        "check_in": obstacle_to_arrival,
        "no_show": _obstacle_to_no_show,
        "reinstate": _obstacle_to_reversal,
    }
    if action in check:
        return check[action](reservation, today=today)
    has_ended = {
        "confirm": reservation.departure <= today,
        "assign_room": reservation.departure < today,
        "move": reservation.departure <= today,
        # The departure date of a guest in house can always change, because the guest is still there.
        "dates": reservation.departure < today and reservation.status != ReservationStatus.CHECKED_IN,
    }
    return _("The departure date has passed.") if has_ended.get(action) else None


def obstacle_to_arrival(reservation: Reservation, *, today: date) -> str | None:
    """Return why the guest can't check in on the date `today`, or None if the dates allow the check-in."""
    if today < reservation.arrival:
        text = _(
            "Check-in is possible from the arrival date, {date}. If the guest is early, change the dates first."
        )
        return text.format(date=date_format(reservation.arrival))
    return _("The departure date has passed.") if today > reservation.departure else None


def _obstacle_to_no_show(reservation: Reservation, *, today: date) -> str | None:
    if today < reservation.arrival:
        text = _("The guest is expected on {date}. Cancel the reservation instead.")
        return text.format(date=date_format(reservation.arrival))
    return None


def _obstacle_to_reversal(reservation: Reservation, *, today: date) -> str | None:
    if reservation.departure <= today:
        return _("The departure date has passed.")
    if reservation.status == ReservationStatus.CHECKED_IN and reservation.status_date != today:
        return _("A check-in can be reversed only on the same day. Check the guest out instead.")
    return None
