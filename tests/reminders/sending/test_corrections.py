"""Tests of the correction of a failed reminder's address, which also corrects the reservation."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Event
from dlq.models import Failure
from dlq.retries.runner import retry_due
from reminders.models import Reminder, Reservation
from reminders.reservations.services import cancel_reservation
from reminders.sending import batch
from reminders.services.reminders import send_now
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
WRONG, RIGHT = "ana@exmaple.com", "ana@example.com"


@pytest.fixture
def failure(book: Callable[..., Reservation], smtp: MailServer) -> Failure:
    """Return the failure of the first of two reminders. The mail server refuses the address of the reservation."""
    smtp.refuse(WRONG)
    book("R1", "2030-05-10", "2030-05-12", guest_email=WRONG)
    send_next()
    return Failure.objects.get()


def send_next() -> Reminder:
    """Send the next scheduled reminder, and return the reminder."""
    reminder = Reminder.objects.filter(status="scheduled").order_by("planned_for", "id")[0]
    send_now(reminder_id=reminder.id)
    batch.send_due([reminder.id])
    reminder.refresh_from_db()
    return reminder


def correct(api: APIClient, failure: Failure, address: str) -> Any:
    url = f"/api/v1/dlq/entries/{failure.id}/"
    patch = [{"op": "replace", "path": "/to", "value": address}]
    return api.post(f"{url}correct/", {"patch": patch}, headers={"If-Match": api.get(url)["ETag"]})


def address_of_reservation() -> str:
    return Reservation.objects.values_list("guest_email", flat=True).get()


def test_corrected_address_is_stored_in_the_reservation_and_later_reminders_use_it(
    api: APIClient, failure: Failure, smtp: MailServer
) -> None:
    corrected = correct(api, failure, RIGHT)
    assert corrected.status_code in {200, 202}, corrected.json()
    assert address_of_reservation() == RIGHT
    event = Event.objects.get(event="reservation.changed")
    assert (event.data["changed"], event.actor_kind) == ("guest_email", "key")
    retry_due(failure_id=failure.id)
    assert send_next().status == "sent"
    assert len(smtp.to(RIGHT)) == 2


def test_retry_without_a_correction_keeps_the_address_of_the_reservation(
    api: APIClient, failure: Failure
) -> None:
    """For comparison with the test above, the next reminder fails too."""
    correct(api, failure, WRONG)
    assert address_of_reservation() == WRONG
    assert not Event.objects.filter(event="reservation.changed").exists()


@pytest.mark.parametrize("address", ["ana", "ana@", "ana@example.com\nBcc: eve@example.com"])
def test_invalid_address_is_refused_and_neither_the_failure_nor_the_reservation_changes(
    api: APIClient, failure: Failure, address: str
) -> None:
    refused = correct(api, failure, address)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-payload")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/payload/to"]
    assert address not in refused.json()["detail"]
    failure.refresh_from_db()
    assert (failure.corrected_payload, failure.status, address_of_reservation()) == (None, "permanent", WRONG)


def test_correction_for_a_cancelled_reservation_is_refused(api: APIClient, failure: Failure) -> None:
    cancel_reservation(reservation_id=Reservation.objects.get().id)
    refused = correct(api, failure, RIGHT)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/reservation-state-error")
    failure.refresh_from_db()
    assert failure.corrected_payload is None
