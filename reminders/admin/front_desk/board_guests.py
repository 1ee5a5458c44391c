"""Guest names for the room board and the list of stays, and the link from the room board to new reservations."""

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from locks.board.guest_names import Guest, register_booking_page, register_guest_source
from locks.models import Allocation
from reminders.models import Reservation, ReservationStatus

#: The statuses of guests who have arrived, and so may have moved to another room.
_HAS_ARRIVED = (ReservationStatus.CHECKED_IN, ReservationStatus.CHECKED_OUT)

register_booking_page("admin:reminders_reservation_add")


@register_guest_source
def guests_of_stays(stays: Collection[UUID]) -> Mapping[UUID, Guest]:
    """Return the guest of each stay, by stay id, for the pages that show which rooms are occupied.

    If a guest's name is unknown, the reservation number is returned instead.
    """
    allocations = {
        id_: (group_id, reference)
        for id_, group_id, reference in Allocation.objects.filter(id__in=stays).values_list(
            "id", "group_id", "reference"
        )
    }
    groups = {group_id for group_id, _reference in allocations.values() if group_id}
    references = {reference for _group_id, reference in allocations.values() if reference}
    rows = Reservation.objects.filter(
        Q(stay__in=stays) | Q(id__in=groups) | Q(external_id__in=references, status__in=_HAS_ARRIVED)
    ).values_list("stay_id", "pk", "external_id", "guest_name", "status", "source")
    guests: dict[UUID | str | None, Guest] = {}
    for stay, pk, number, name, status, source in rows:
        guest = Guest(
            name=name or number,
            url=reverse("admin:reminders_reservation_change", args=[pk]),
            panel_url=reverse("admin:reminders_reservation_panel", args=[pk]),
            status=str(ReservationStatus(status).label),
            source=source,
            is_in_house=status == ReservationStatus.CHECKED_IN,
        )
        guests[stay] = guests[pk] = guests[number] = guest
    found = {
        stay: guests.get(group_id) or guests.get(stay) or guests.get(reference)
        for stay, (group_id, reference) in allocations.items()
    }
    return {stay: guest for stay, guest in found.items() if guest is not None}
