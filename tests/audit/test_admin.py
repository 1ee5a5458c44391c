"""Tests of the admin pages of the audit trail: the list of events, the event page and the history of an object."""

import pytest
from django.test import Client

from audit.registry import EventType
from audit.services import record
from tenants.context import Actor, hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role

HOST = "alpha.localhost"
LIST = "/admin/audit/event/"


def client_with_role(role: str, hotel: Hotel) -> Client:
    client = Client(SERVER_NAME=HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username=role, password=None, role=role))
    return client


@pytest.mark.django_db
def test_event_list_and_event_page_show_the_description_of_the_event(
    staff: Client, hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        event = record(lamp_lit, subject=("lamp", 1), colour="red")
    assert "ana lit lamp 1 in red" in staff.get(LIST).content.decode()
    assert "ana lit lamp 1 in red" in staff.get(f"{LIST}{event.id}/change/").content.decode()
    assert "ana lit lamp 1 in red" not in staff.get(LIST, {"event": "staff.logged_in"}).content.decode()


@pytest.mark.django_db
def test_events_cannot_be_added_changed_or_deleted(staff: Client, hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        event = record(lamp_lit, colour="red")
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{event.id}/change/", {"actor_label": "x"}).status_code == 403
    assert staff.post(f"{LIST}{event.id}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_event_list_is_shown_to_auditors_but_not_to_the_front_desk(hotel: Hotel) -> None:
    assert client_with_role(Role.AUDITOR, hotel).get(LIST).status_code == 200
    assert client_with_role(Role.FRONT_DESK, hotel).get(LIST).status_code == 403


@pytest.mark.django_db
def test_history_page_of_an_object_shows_only_the_events_of_the_object(
    staff: Client, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        ana = User.objects.create_user(username="ana", password=None, role=Role.AUDITOR)
        record(lamp_lit, subject=("user", ana.pk), colour="red")
        record(lamp_lit, subject=("user", "another user"), colour="blue")
    page = staff.get(f"/admin/tenants/user/{ana.pk}/history/").content.decode()
    assert "in red" in page
    assert "in blue" not in page


@pytest.mark.django_db
def test_history_page_of_a_missing_object_returns_404(staff: Client) -> None:
    missing = staff.get("/admin/tenants/user/0198c0de-0000-7000-8000-000000000001/history/")
    assert missing.status_code == 404
