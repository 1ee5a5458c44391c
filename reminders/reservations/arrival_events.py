"""The webhook events about guests who check in and out."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from locks.models import Allocation, AllocationStatus
from locks.services import publish_stay_event
from locks.webhooks.event_types import WebhookEvent
from reminders.models import Reservation, ReservationStatus

#: The webhook event of each status that a reservation gets when its guest arrives or leaves.
_EVENTS = {
    ReservationStatus.CHECKED_IN: WebhookEvent.STAY_CHECKED_IN,
    ReservationStatus.CHECKED_OUT: WebhookEvent.STAY_CHECKED_OUT,
}


def publish_arrivals_and_departures(changed: Collection[Reservation]) -> None:
    """Create the webhook deliveries for the stays of reservations whose status has just changed.

    Runs in the caller's transaction.
    """
    for status, event in _EVENTS.items():
        reservations = [reservation for reservation in changed if reservation.status == status]
        if reservations:
            stays = Allocation.objects.filter(
                Q(id__in=[reservation.stay_id for reservation in reservations if reservation.stay_id])
                | Q(group_id__in=[reservation.id for reservation in reservations]),
                status=AllocationStatus.CONFIRMED,
            )
            publish_stay_event(event, list(stays.order_by("id").values_list("id", flat=True)))
