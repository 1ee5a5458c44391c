import pytest
from django.test import Client

from audit.registry import EventType
from audit.services import record
from tenants.context import Actor, hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role

HOST = "alpha.localhost"
LIST = "/admin/audit/event/"


def _as(role: str, hotel: Hotel) -> Client:
    client = Client(SERVER_NAME=HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username=role, password=None, role=role))
    return client


@pytest.mark.django_db
def test_the_list_shows_the_sentences(staff: Client, hotel: Hotel, lit: EventType, as_ana: Actor) -> None:
    with hotel_context(hotel):
        event = record(lit, subject=("lamp", 1), colour="red")
    assert "ana lit lamp 1 in red" in staff.get(LIST).content.decode()
    assert "ana lit lamp 1 in red" in staff.get(f"{LIST}{event.id}/change/").content.decode()
    assert "ana lit lamp 1 in red" not in staff.get(LIST, {"event": "staff.logged_in"}).content.decode()


@pytest.mark.django_db
def test_nothing_can_be_added_changed_or_deleted(staff: Client, hotel: Hotel, lit: EventType) -> None:
    with hotel_context(hotel):
        event = record(lit, colour="red")
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{event.id}/change/", {"actor_label": "x"}).status_code == 403
    assert staff.post(f"{LIST}{event.id}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_an_auditor_reads_it_and_the_front_desk_does_not(hotel: Hotel) -> None:
    assert _as(Role.AUDITOR, hotel).get(LIST).status_code == 200
    assert _as(Role.FRONT_DESK, hotel).get(LIST).status_code == 403


@pytest.mark.django_db
def test_the_history_of_an_object_is_its_timeline(staff: Client, hotel: Hotel, lit: EventType) -> None:
    with hotel_context(hotel):
        ana = User.objects.create_user(username="ana", password=None, role=Role.AUDITOR)
        record(lit, subject=("user", ana.pk), colour="red")
        record(lit, subject=("user", "somebody else"), colour="blue")
    page = staff.get(f"/admin/tenants/user/{ana.pk}/history/").content.decode()
    assert "in red" in page
    assert "in blue" not in page


@pytest.mark.django_db
def test_there_is_no_history_of_what_is_not_there(staff: Client) -> None:
    missing = staff.get("/admin/tenants/user/0198c0de-0000-7000-8000-000000000001/history/")
    assert missing.status_code == 404
