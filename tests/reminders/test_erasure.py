"""Tests of the erasure of a guest from failures and audit events that refer to a reservation by its id or number."""

import uuid
from collections.abc import Callable

import pytest

from audit.entries import entry
from audit.models import Event
from audit.services import record
from dlq.erasure import services as erasure
from dlq.models import Failure
from dlq.services import capture
from locks.waiting_list.events import WAITING_LIST_JOINED
from reminders.models import Reminder, Reservation
from reminders.sending.outcomes import FAILURE_NAME
from tenants.models import Hotel

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("field", ["guest_email", "external_id"])
def test_failure_of_a_reminder_is_erased_with_the_guest_of_its_reservation(
    in_hotel: Hotel, book: Callable[..., Reservation], field: str
) -> None:
    guest, other = (book(number, "2030-05-10", "2030-05-12") for number in ("R101", "R102"))
    for reservation in (guest, other):
        capture(
            is_task=False,
            source="tests",
            name=FAILURE_NAME,
            payload={"reminder": str(Reminder.objects.filter(reservation=reservation)[0].id), "to": ""},
            error=OSError("no connection"),
        )
    assert erasure.forget(getattr(guest, field)).failures == 1
    assert Failure.objects.filter(payload={}).count() == 1


@pytest.mark.parametrize("field", ["guest_email", "external_id"])
def test_booking_number_is_erased_from_audit_events_of_reservation_and_waiting_list(
    in_hotel: Hotel, book: Callable[..., Reservation], field: str
) -> None:
    guest, other = (book(number, "2030-05-10", "2030-05-12") for number in ("R-10101", "R-10102"))
    for reservation in (guest, other):
        record(
            WAITING_LIST_JOINED,
            subject=("waiting_list_entry", uuid.uuid4()),
            requested="101",
            check_in="2030-05-10",
            check_out="2030-05-12",
            reference=reservation.external_id,
        )
    before = {event.id: entry(event) for event in Event.objects.all()}
    stored = str(list(Event.objects.values_list("personal", flat=True)))
    assert stored.count("R-10101") == stored.count("R-10102") > 1
    assert erasure.forget(getattr(guest, field)).events == stored.count("R-10101")
    stored = str(list(Event.objects.values()))
    assert "R-10101" not in stored
    assert "R-10102" in stored
    assert {event.id: entry(event) for event in Event.objects.filter(id__in=before)} == before
