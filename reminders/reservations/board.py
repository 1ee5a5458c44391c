"""Tells the room board who stays in a room."""

from collections.abc import Collection, Mapping
from uuid import UUID

from django.urls import reverse

from locks.board.guest_names import Guest, register_guest_source
from reminders.models import Reservation


@register_guest_source
def guests_of(stays: Collection[UUID]) -> Mapping[UUID, Guest]:
    found = Reservation.objects.filter(stay__in=stays).values_list(
        "stay_id", "guest_name", "external_id", "pk"
    )
    page = reverse("admin:reminders_reservation_change", args=["PK"])
    return {
        stay: Guest(name=name or number, url=page.replace("PK", str(pk)))
        for stay, name, number, pk in found
        if stay is not None
    }
