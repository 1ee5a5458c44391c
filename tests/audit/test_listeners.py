"""Tests of the events that are recorded when Django, the admin or the app `tenants` sends a signal."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import transaction
from django.test import Client

from audit.models import Event
from audit.reading.search import timeline
from audit.registry import Outcome
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role

HOST = "alpha.localhost"


@pytest.fixture
def ana(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.create_user(username="ana", password="right-horse", role=Role.MANAGER)


def log_in(password: str, username: str = "ana") -> Client:
    client = Client(SERVER_NAME=HOST)
    client.post("/admin/login/", {"username": username, "password": password}, REMOTE_ADDR="192.0.2.7")
    return client


@pytest.mark.django_db
def test_login_is_recorded_with_the_user_as_actor(hotel: Hotel, ana: User) -> None:
    log_in("right-horse")
    with hotel_context(hotel):
        event = timeline(kind="user", identifier=ana.pk).get(event="staff.logged_in")
        assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", str(ana.pk), "ana")
        assert event.request_id


@pytest.mark.django_db
def test_logout_is_recorded(hotel: Hotel, ana: User) -> None:
    log_in("right-horse").post("/admin/logout/")
    with hotel_context(hotel):
        assert timeline(kind="user", identifier=ana.pk).filter(event="staff.logged_out").count() == 1


@pytest.mark.django_db(transaction=True)
def test_failed_login_is_recorded_with_the_account_but_not_the_password(hotel: Hotel, ana: User) -> None:
    log_in("wrong-horse")
    with hotel_context(hotel):
        event = timeline(kind="user", identifier=ana.pk).get(event="staff.login_failed")
        assert event.actor_kind == "anonymous"
        assert "wrong-horse" not in str(Event.objects.filter(id=event.id).values())


@pytest.mark.django_db(transaction=True)
def test_failed_login_with_an_unknown_user_name_is_recorded_without_the_name(hotel: Hotel) -> None:
    log_in("right-horse", username="my password by mistake")
    with hotel_context(hotel):
        event = Event.objects.get(event="staff.login_failed")
        assert event.subject == ""
        assert "mistake" not in str(Event.objects.filter(id=event.id).values())


@pytest.mark.django_db(transaction=True)
def test_failed_login_is_recorded_even_if_the_transaction_is_rolled_back(in_hotel: Hotel, ana: User) -> None:
    with transaction.atomic():
        assert authenticate(username="ana", password="wrong-horse") is None
        transaction.set_rollback(True)
    assert Event.objects.filter(event="staff.login_failed").count() == 1


@pytest.mark.django_db
def test_creation_and_revocation_of_an_api_key_are_recorded_without_its_secret(in_hotel: Hotel) -> None:
    key, text = api_keys.create(name="booking engine", scopes=["locks:read"])
    api_keys.revoke(key)
    events = timeline(kind="api_key", identifier=key.pk).exclude(actor_kind="database")
    created, revoked = events.order_by("id")
    assert (created.event, revoked.event) == ("api_key.created", "api_key.revoked")
    assert created.data["scopes"] == ["locks:read"]
    assert text.rpartition("_")[2] not in str(created.data)


@pytest.mark.django_db
def test_denied_api_request_is_recorded(hotel: Hotel) -> None:
    with hotel_context(hotel):
        key, text = api_keys.create(name="rooms only", scopes=["rooms:read"])
    client = Client(SERVER_NAME=HOST, headers={"Authorization": f"Bearer {text}"})
    assert client.get("/api/v1/audit/").status_code == 403
    with hotel_context(hotel):
        event = Event.objects.get(event="access.denied", actor_id=str(key.pk))
        assert event.data == {
            "permission": "audit:read", "method": "GET", "route": "audit-list", "arguments": {},
        }  # fmt: skip
        assert event.outcome == Outcome.DENIED


@pytest.mark.django_db
def test_denied_admin_page_is_recorded(hotel: Hotel) -> None:
    client = Client(SERVER_NAME=HOST)
    with hotel_context(hotel):
        desk = User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK)
        client.force_login(desk)
    assert client.get("/admin/audit/event/").status_code == 403
    with hotel_context(hotel):
        event = Event.objects.get(event="access.denied", actor_id=str(desk.pk))
        assert event.data["route"] == event.data["permission"] == "admin:audit_event_changelist"


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["%00", "a%09%0b", "%1b[31m", "%e2%80%ae", "%ed%a0%80", "x" * 5000])
def test_denial_of_a_request_with_unusual_characters_in_its_path_is_recorded(hotel: Hotel, text: str) -> None:
    client = Client(SERVER_NAME=HOST)
    with hotel_context(hotel):
        desk = User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK)
        client.force_login(desk)
    assert client.get(f"/admin/audit/event/{text}/change/").status_code in {302, 403, 404}
    assert client.post(f"/admin/audit/event/{text}/delete/").status_code == 403
    with hotel_context(hotel):
        event = Event.objects.get(event="access.denied", actor_id=str(desk.pk), data__method="POST")
        assert event.data["route"] == "admin:audit_event_delete"
        assert len(event.data["arguments"]["object_id"]) <= 64
        assert event.description.isprintable()


@pytest.mark.django_db
def test_object_added_in_the_admin_is_recorded_with_the_user_as_actor(staff: Client, hotel: Hotel) -> None:
    added = staff.post(
        "/admin/locks/room/add/", {"number": "777", "room_type": "A", "floor": 7, "capacity": 2}
    )
    assert added.status_code == 302
    with hotel_context(hotel):
        event = Event.objects.filter(subject_kind="room").latest("id")
        assert event.actor_label == "manager"


def staff_events(hotel: Hotel, user: User) -> list[Event]:
    """Return the events about the account, except for logins and row changes, oldest first."""
    with hotel_context(hotel):
        events = timeline(kind="user", identifier=user.pk).exclude(actor_kind="database")
        return list(events.exclude(event="staff.logged_in").order_by("id"))


@pytest.mark.django_db
def test_password_change_by_the_user_is_recorded(hotel: Hotel, ana: User) -> None:
    passwords = {
        "old_password": "right-horse",
        "new_password1": "battery-staple",
        "new_password2": "battery-staple",
    }
    assert log_in("right-horse").post("/admin/password_change/", passwords).status_code == 302
    [event] = staff_events(hotel, ana)
    assert (event.event, event.actor_id, event.subject_id) == ("staff.password_set", str(ana.pk), str(ana.pk))
    assert "staple" not in str(event.data) + str(event.personal)
    with hotel_context(hotel):
        ana.refresh_from_db()
    assert ana.check_password("battery-staple")


@pytest.mark.django_db
def test_password_set_by_a_manager_is_recorded_once(staff: Client, hotel: Hotel, ana: User) -> None:
    passwords = {"password1": "battery-staple", "password2": "battery-staple"}
    assert staff.post(f"/admin/tenants/user/{ana.pk}/password/", passwords).status_code == 302
    [event] = staff_events(hotel, ana)
    assert (event.event, event.actor_label) == ("staff.password_set", "manager")


@pytest.mark.django_db
def test_role_before_and_after_a_change_is_recorded(staff: Client, hotel: Hotel, ana: User) -> None:
    form = {"username": "ana", "full_name": "", "email": "", "language": ana.language, "role": Role.AUDITOR}
    assert staff.post(f"/admin/tenants/user/{ana.pk}/change/", form).status_code == 302
    events = {event.event: event for event in staff_events(hotel, ana)}
    assert events["staff.role_changed"].data == {"before": "manager", "after": "auditor"}
    assert "staff.deactivated" in events  # the submitted form does not contain the field `is_active`


@pytest.mark.django_db
def test_feature_flag_changed_by_command_is_recorded_with_its_properties(platform: None) -> None:
    call_command("waffle_switch", "lamps", "on", "--create", stdout=StringIO())
    call_command("waffle_switch", "lamps", "off", stdout=StringIO())
    call_command("waffle_delete", "--switches", "lamps", stdout=StringIO())
    events = Event.objects.filter(event="flag.changed").order_by("id")
    states = [(event.data["before"], event.data["after"]) for event in events]
    active = [tuple(state and state["active"] for state in pair) for pair in states]
    assert active == [(None, False), (False, True), (True, False), (False, None)]
    assert {event.data["name"] for event in events} == {"lamps"}
