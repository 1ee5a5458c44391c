"""Tests that operations of the platform on a hotel are recorded in the platform's trail and in the hotel's trail."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import services
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.models import ContactKind, Hotel, HotelStatus
from tenants.services import contacts
from tenants.signals import hotel_suspended
from tests.tenants import sql

OPERATOR = Actor("user", str(uuid7()), "olga", "192.0.2.9", "request-7", user_agent="Browser")


def events_of(hotel: Hotel) -> list[Event]:
    """Return the events about a hotel that are in the hotel's trail, oldest first, except for `hotel.created`."""
    with hotel_context(hotel):
        return hotel_events()


def platform_events() -> list[Event]:
    """Return the events about hotels in the platform's trail, oldest first, except for `hotel.created`."""
    with platform_context():
        return hotel_events()


def hotel_events() -> list[Event]:
    events = Event.objects.filter(event__regex="^(hotel|contact)[.]").exclude(event="hotel.created")
    return list(events.order_by("id"))


def update_hotel(hotel: Hotel, **changes: str) -> None:
    properties = {name: getattr(hotel, name) for name in ("slug", "name", "time_zone", "language", "email")}
    services.update_hotel(hotel_id=hotel.id, **(properties | changes))


def names(trail: list[Event]) -> list[str]:
    return [event.event for event in trail]


@pytest.mark.django_db
def test_operations_on_a_hotel_are_recorded_in_the_trails_of_the_hotel_and_the_platform(hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    services.resume_hotel(hotel_id=hotel.id)
    services.update_hosts(hotel_id=hotel.id, slug="gamma", domains=["gamma.example"])
    services.remove_domain(hotel_id=hotel.id, host="gamma.example")
    contact, _new = contacts.add_contact(hotel_id=hotel.id, kind=ContactKind.EMAIL, value="guest@example.com")
    contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)
    recorded = events_of(hotel)
    assert names(recorded) == names(platform_events()) == [
        "hotel.suspended",
        "hotel.resumed",
        "hotel.renamed",
        "hotel.domain_added",
        "hotel.domain_removed",
        "contact.added",
        "contact.removed",
    ]  # fmt: skip
    assert {event.subject_id for event in recorded} == {str(hotel.id), str(contact.id)}


@pytest.mark.django_db
def test_changed_properties_of_a_hotel_are_recorded_without_its_email_address(hotel: Hotel) -> None:
    update_hotel(hotel, name="New name", email="new@example.com")
    [changed] = events_of(hotel)
    assert changed.event == "hotel.changed"
    assert changed.data["detail"] == {
        "changed": ["name", "email"],
        "before": {"name": hotel.name},
        "after": {"name": "New name"},
    }


@pytest.mark.django_db
def test_unchanged_properties_of_a_hotel_are_not_recorded(hotel: Hotel) -> None:
    update_hotel(hotel)
    assert events_of(hotel) == []


@pytest.mark.django_db
def test_hotels_trail_contains_the_id_but_not_the_name_of_platform_staff(hotel: Hotel) -> None:
    task = Actor("task", "some.task", "some.task", task_id="task-1", initiator=OPERATOR)
    with actor_context(OPERATOR):
        services.suspend_hotel(hotel_id=hotel.id)
    with actor_context(task):
        services.resume_hotel(hotel_id=hotel.id)
    direct, started = events_of(hotel)
    assert (direct.actor_kind, direct.actor_id, direct.request_id) == ("user", OPERATOR.id, "request-7")
    assert (direct.actor_label, direct.ip, direct.user_agent) == ("platform", None, "")
    assert (started.actor_id, started.task_id) == ("some.task", "task-1")
    assert (started.initiator_id, started.initiator_label) == (OPERATOR.id, "platform")
    assert platform_events()[0].actor_label == "olga"


@pytest.mark.django_db
def test_rolled_back_operation_on_a_hotel_is_not_recorded_in_any_trail(hotel: Hotel) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError

    hotel_suspended.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            services.suspend_hotel(hotel_id=hotel.id)
    finally:
        hotel_suspended.disconnect(fail)
    assert events_of(hotel) == platform_events() == []


@pytest.mark.django_db(transaction=True)
def test_trail_of_a_new_hotel_contains_its_creation_and_its_first_rows() -> None:
    with actor_context(OPERATOR):
        sol = services.create_hotel(slug="sol", name="Sol")
    with hotel_context(sol):
        [created] = Event.objects.exclude(actor_kind="database")
        rows = Event.objects.filter(actor_kind="database")
        assert {event.data["table"] for event in rows} == {"reminders_rule", "reminders_template"}
        assert {event.actor_label for event in rows} == {"platform"}
    assert (created.event, created.subject_id) == ("hotel.created", str(sol.id))
    assert (created.actor_id, created.actor_label) == (OPERATOR.id, "platform")
    with platform_context():
        assert Event.objects.filter(event="hotel.created", subject_id=str(sol.id)).count() == 1


@pytest.mark.django_db(transaction=True)
def test_hotel_whose_event_table_is_not_migrated_yet_can_be_suspended(hotel: Hotel) -> None:
    sql.execute(f"DELETE FROM {hotel.schema}.django_migrations WHERE app = 'audit'")
    services.suspend_hotel(hotel_id=hotel.id)
    assert names(platform_events()) == ["hotel.suspended"]
    assert events_of(hotel) == []


@pytest.mark.django_db(transaction=True)
def test_events_of_a_hotel_without_a_schema_are_recorded_on_the_platform() -> None:
    sol = services.register_hotel(slug="sol", name="Sol")
    services.add_domain(hotel_id=sol.id, host="sol.example")
    assert sol.status == HotelStatus.PROVISIONING
    assert names(platform_events()) == ["hotel.registered", "hotel.domain_added"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("masked", [False, True])
def test_backup_and_restore_are_recorded_in_the_hotels_trail(
    hotel: Hotel, tmp_path: Path, masked: bool
) -> None:
    file = tmp_path / "alpha.hotel"
    call_command("backup_hotel", "alpha", to=file, masked=masked, stdout=StringIO())
    [backed_up] = events_of(hotel)
    assert (backed_up.event, backed_up.data["detail"]["masked"]) == ("hotel.backed_up", masked)
    call_command("restore_hotel", file, slug="copy", stdout=StringIO())
    with platform_context():
        copy = Hotel.objects.get(slug="copy")
    [restored] = events_of(copy)
    assert restored.event == "hotel.restored"
    assert restored.data == platform_events()[-1].data


@pytest.mark.django_db(transaction=True)
def test_deletion_request_is_recorded_in_both_trails_even_if_the_deletion_fails(settings: Any) -> None:
    sol = services.create_hotel(slug="sol", name="Sol")
    services.suspend_hotel(hotel_id=sol.id)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError):
        call_command("erase_hotel", "sol", confirm="sol", stdout=StringIO())
    expected = ["hotel.suspended", "hotel.deletion_requested"]
    assert names(events_of(sol)) == names(platform_events()) == expected
