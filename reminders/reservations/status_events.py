"""The webhook events about the status of reservations, such as `stay.checked_in`.

The app `locks` publishes the other events about stays: it knows when a stay is created, moved or cancelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from locks.services import create_deliveries
from locks.webhooks.event_types import WebhookEvent
from reminders.models import ReservationStatus

_EXPECTED = frozenset({ReservationStatus.BOOKED, ReservationStatus.INQUIRY})
_ARRIVED = frozenset({ReservationStatus.CHECKED_IN, ReservationStatus.CHECKED_OUT})
#: The events of statuses that a reservation can get from any other status.
_EVENTS = {
    ReservationStatus.CHECKED_IN: WebhookEvent.STAY_CHECKED_IN,
    ReservationStatus.CHECKED_OUT: WebhookEvent.STAY_CHECKED_OUT,
    ReservationStatus.NO_SHOW: WebhookEvent.STAY_NO_SHOW,
}


def event_of(previous: str, status: str) -> WebhookEvent | None:
    """Return the webhook event of a change of a reservation's status, or None if the change has no such event.

    A reservation that becomes cancelled loses its stays, so `stay.cancelled` reports this change. A reservation that
    was cancelled or a no-show has no stays when it is booked again.
    """
    if previous == status:
        return None
    if previous in _ARRIVED and status in _EXPECTED:
        return WebhookEvent.STAY_CHECK_IN_UNDONE
    if previous == ReservationStatus.INQUIRY and status == ReservationStatus.BOOKED:
        return WebhookEvent.STAY_INQUIRY_CONFIRMED
    if previous == ReservationStatus.BOOKED and status == ReservationStatus.INQUIRY:
        return WebhookEvent.STAY_BECAME_INQUIRY
    return _EVENTS.get(ReservationStatus(status))


def publish_status_events(changes: Iterable[tuple[str, str, Iterable[UUID]]]) -> None:
    """Create the webhook deliveries of changed statuses, in the caller's transaction.

    Each change consists of the previous status of a reservation, its new status, and the ids of its stays.
    """
    stays_by_event: defaultdict[WebhookEvent, list[UUID]] = defaultdict(list)
    for previous, status, stays in changes:
        if (event := event_of(previous, status)) is not None:
            stays_by_event[event] += stays
    for event, ids in stays_by_event.items():
        create_deliveries(event, sorted(ids))
