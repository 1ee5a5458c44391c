"""The guests who arrive today, are in house, or leave today, as a card and as lists on the start page."""

from datetime import date

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card, Panel
from locks.selectors import today
from reminders.admin.front_desk.actions import Action, actions_of
from reminders.day_lists.guests import GuestCounts, GuestList, ListedGuest, count_guests, list_guests
from reminders.models import Reservation
from tenants.signals import personal_data_read
from tenants.unaudited import unaudited

#: The actions that the lists of the start page offer. The page of the reservation offers all actions.
_SHOWN_ACTIONS = frozenset({"check_in", "check_out", "assign_room"})
#: The name of the request's attribute that caches the number of guests in each list.
_COUNTS = "_guest_counts"
_EMPTY = {
    GuestList.ARRIVALS: gettext_lazy("No guests arrive today."),
    GuestList.IN_HOUSE: gettext_lazy("No guests are in house."),
    GuestList.DEPARTURES: gettext_lazy("No guests leave today."),
}


@dashboard.register_panel(scope="reservations:read", order=-10)
def guests_of_today(request: HttpRequest) -> Panel:
    """Return the panel with the guests who arrive today, are in house, or leave today. A tab selects the list."""
    day = today()
    requested = request.GET.get("list", "")
    selected = GuestList(requested) if requested in GuestList.values else GuestList.ARRIVALS
    counts = _count_guests(request, day)
    guests = list_guests(selected, day=day)
    ids = [str(guest.id) for guest in guests]
    personal_data_read.send(Reservation, request=request, kind="reservation", ids=ids)
    expected = _("%(count)d expected")
    notes = {
        GuestList.ARRIVALS: expected % {"count": counts.expected_arrivals},
        GuestList.DEPARTURES: expected % {"count": counts.expected_departures},
    }
    context = {
        "day": day,
        "list": selected,
        "tabs": [
            {"list": tab, "count": getattr(counts, tab), "note": notes.get(tab, "")} for tab in GuestList
        ],
        "rows": [(guest, _main_actions(request, guest, day)) for guest in guests],
        "next": request.get_full_path(),
        "empty": _EMPTY[selected],
    }
    return Panel("reminders/today.html", context, stylesheet="reminders/day_lists.css")


@dashboard.register_card(scope="reservations:read", order=0)
@unaudited("The card shows numbers and no guests.")
def arrivals_today(request: HttpRequest) -> Card:
    counts = _count_guests(request, today())
    return Card(
        title=_("Arrivals today"),
        value=counts.arrivals,
        note=ngettext("%(count)d departure", "%(count)d departures", counts.departures)
        % {"count": counts.departures},
        url=reverse("admin:reminders_arrivals_list"),
        icon="luggage",
    )


def _count_guests(request: HttpRequest, day: date) -> GuestCounts:
    """Return the lengths of the lists. The panel and the card of one page share the result of one query."""
    if not hasattr(request, _COUNTS):
        setattr(request, _COUNTS, count_guests(day=day))
    counts: GuestCounts = getattr(request, _COUNTS)
    return counts


@unaudited("The function returns buttons, and no guests.")
def _main_actions(request: HttpRequest, guest: ListedGuest, day: date) -> list[Action]:
    """Return the action that is usually next for the guest, or an empty list if there is none.

    There is none if an arriving guest has checked in, or a departing guest has checked out (`is_done`).
    """
    if guest.is_done:
        return []
    reservation = Reservation(
        id=guest.id, status=guest.status, arrival=guest.arrival, departure=guest.departure
    )
    actions = actions_of(request, reservation, has_room=bool(guest.rooms), today=day)
    return [action for action in actions if action.name in _SHOWN_ACTIONS][:1]
