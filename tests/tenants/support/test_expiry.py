"""Tests of the events that record that a support session has expired."""

import pytest

from audit.models import Event
from tenants import tasks
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel, SupportSession, User
from tests.tenants.support.conftest import OpenHotel

pytestmark = pytest.mark.django_db


def support_events(hotel: Hotel, event: str) -> list[list[Event]]:
    """Return the events with this name in the platform's trail, and those in the hotel's trail."""
    found = []
    for context in (platform_context(), hotel_context(hotel)):
        with context:
            found.append(list(Event.objects.filter(event=event)))
    return found


def test_both_trails_record_the_expiry_of_a_support_session_once(
    open_hotel: OpenHotel, hotel: Hotel, eva: User
) -> None:
    open_hotel()
    with platform_context():
        session = SupportSession.objects.get()
        item = DueItem.objects.get(kind="support_expiry")
    assert (item.hotel_id, item.item_id, item.due_at) == (hotel.id, session.pk, session.expires_at)
    with hotel_context(hotel):
        tasks.record_support_expiries([str(session.pk)])
    assert support_events(hotel, "support.expired") == [[], []]  # not expired yet
    with platform_context():
        SupportSession.objects.update(expires_at=session.created_at)
        User.objects.update(is_active=False)
    with hotel_context(hotel):
        tasks.record_support_expiries([str(session.pk)])
        tasks.record_support_expiries([str(session.pk)])  # a worker may receive the message twice
    for [event] in support_events(hotel, "support.expired"):
        assert (event.actor_kind, event.actor_id) == ("support", str(session.pk))
        assert event.initiator_id == str(eva.pk)
        assert event.description == (
            "The access of operator (platform) to the hotel alpha ended, because its time was over"
        )
    with platform_context():
        assert SupportSession.objects.get().ended_at == session.created_at


def test_support_session_that_the_person_ended_is_not_recorded_as_expired(
    open_hotel: OpenHotel, hotel: Hotel
) -> None:
    open_hotel().post("/admin/support/end/")
    with platform_context():
        session = SupportSession.objects.get()
        SupportSession.objects.update(expires_at=session.created_at)
    with hotel_context(hotel):
        tasks.record_support_expiries([str(session.pk)])
    assert [len(events) for events in support_events(hotel, "support.ended")] == [1, 1]
    assert support_events(hotel, "support.expired") == [[], []]
