"""Tests of the admin pages of the PMS."""

from __future__ import annotations

import pytest
from django.test import Client

from audit.models import Event
from hotelagent.pms import connections
from hotelagent.pms.models import Conflict, ConflictKind, Connection, Rate
from tests.pms.conftest import FakeQloApps
from tests.pms.fake_qloapps import KEY

pytestmark = pytest.mark.django_db
PAGE = "/admin/pms/connection/"


def test_connection_is_saved_and_its_key_is_never_shown(staff: Client, qloapps: FakeQloApps) -> None:
    form = {
        "system": "qloapps",
        "currency": "eur",
        "url": qloapps.url,
        "property_id": "1",
        "key": "another-key",
        "room_types": "double = 1\r\nsuite = 2",
    }
    response = staff.post(f"{PAGE}1/change/", form, follow=True)
    assert response.redirect_chain, response.context["adminform"].form.errors
    assert response.status_code == 200
    connection = Connection.objects.get()
    assert (connection.currency, connection.room_types) == ("EUR", {"double": "1", "suite": "2"})
    assert b"another-key" not in bytes(connection.encrypted_key or b"")
    assert "another-key" not in response.content.decode()
    assert "key" in Event.objects.filter(event="pms.connection_changed").latest("id").data["changed"]


def test_empty_field_keeps_the_stored_access_key(staff: Client, qloapps: FakeQloApps) -> None:
    form = {"system": "qloapps", "currency": "USD", "url": qloapps.url, "property_id": "1", "key": ""}
    staff.post(f"{PAGE}1/change/", form)
    assert connections._decrypt_key(Connection.objects.get()) == KEY


def test_connection_test_shows_the_result_of_each_step(staff: Client, qloapps: FakeQloApps) -> None:
    text = staff.post(f"{PAGE}test/").content.decode()
    assert "Bookings: works" in text
    connections.change_connection(changes={}, key="WRONG")
    text = staff.post(f"{PAGE}test/").content.decode()
    assert "Bookings: does not work" in text
    assert "does not accept the access key" in text


@pytest.mark.parametrize("path", ["connection", "rate", "booking", "conflict"])
def test_pms_pages_of_a_new_hotel_open(staff: Client, path: str) -> None:
    assert staff.get(f"/admin/pms/{path}/").status_code == 200


def test_rate_with_its_nights_in_the_wrong_order_is_refused(staff: Client, rooms: None) -> None:
    form = {"room_type": "double", "first_night": "2031-06-02", "last_night": "2031-06-01", "price": "90"}
    response = staff.post("/admin/pms/rate/add/", form | {"minimum_nights": "1"})
    assert "The last night must not be before the first night." in response.content.decode()
    assert not Rate.objects.exists()


def test_conflict_is_settled_by_an_admin_action(staff: Client, rooms: None) -> None:
    conflict = Conflict.objects.create(kind=ConflictKind.OVERBOOKED, pms_id="7")
    staff.post("/admin/pms/conflict/", {"action": "settle", "_selected_action": str(conflict.id)})
    conflict.refresh_from_db()
    assert conflict.settled_at is not None


def test_room_type_that_the_hotel_does_not_have_is_refused(staff: Client, qloapps: FakeQloApps) -> None:
    form = {
        "system": "qloapps",
        "currency": "EUR",
        "url": qloapps.url,
        "property_id": "1",
        "room_types": "castle = 1",
    }
    text = staff.post(f"{PAGE}1/change/", form).content.decode()
    assert "The hotel has no room type castle. Its room types are: double, suite." in text


def test_rate_changed_in_the_admin_has_the_same_audit_events_as_over_rest(staff: Client, rooms: None) -> None:
    form = {
        "room_type": "double",
        "first_night": "2031-06-01",
        "last_night": "2031-06-02",
        "minimum_nights": "1",
    }
    staff.post("/admin/pms/rate/add/", form | {"price": "90"})
    rate = Rate.objects.get()
    staff.post(f"/admin/pms/rate/{rate.id}/change/", form | {"price": "95"})
    staff.post(f"/admin/pms/rate/{rate.id}/delete/", {"post": "yes"})
    recorded = Event.objects.filter(subject_kind="rate").order_by("id")
    assert [(event.event, event.data["price"]) for event in recorded] == [
        ("pms.rate_added", "90"),
        ("pms.rate_changed", "95"),
        ("pms.rate_deleted", "95.00"),
    ]
