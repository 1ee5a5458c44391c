"""Tests of the scheduled verification of audit trails. A trail is first verified when its first events are sealed."""

import time

import pytest
from django.db.models.functions import Now

from audit import tasks
from audit.models import Event
from audit.registry import EventType
from audit.sealing.models import Log
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.audit.sealing.trails import TIMEOUT_SECONDS, record_event

pytestmark = pytest.mark.django_db(transaction=True)


def seal_all_events(hotel: Hotel) -> Log:
    """Run the task that seals all trails until all events of the hotel are sealed."""
    with hotel_context(hotel):
        number = Event.objects.count()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        with platform_context():
            tasks.seal_all()
            log = Log.objects.filter(hotel_id=hotel.id, closed_at=None).first()
        if log is not None and log.size == number:
            return log
        assert time.monotonic() < deadline, "An open transaction delays sealing."


def number_of_due_verifications(hotel: Hotel) -> int:
    with platform_context():
        due = DueItem.objects.filter(kind="audit_verification", item_id=hotel.id, due_at__lte=Now())
        return due.count()


def test_trail_is_verified_soon_after_its_first_events_were_sealed_and_not_after_later_events(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    assert number_of_due_verifications(hotel) == 0
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_all_events(hotel)
    assert number_of_due_verifications(hotel) == 1
    with hotel_context(hotel):
        tasks.verify([str(hotel.id)])
        record_event(lamp_lit)
    log = seal_all_events(hotel)
    assert (log.size, log.verification) == (2, "valid")
    assert number_of_due_verifications(hotel) == 0
