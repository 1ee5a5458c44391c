"""Test of the erasure of a guest from failures that refer to a reservation by its id."""

from collections.abc import Callable

import pytest

from dlq.erasure import services as erasure
from dlq.models import Failure
from dlq.services import capture
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
