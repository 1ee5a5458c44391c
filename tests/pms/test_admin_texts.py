"""Tests of what the admin pages of the PMS say: words instead of codes, and what staff do next."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone, translation

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.pms import connections, events
from hotelagent.pms.models import (
    OPERATIONS,
    Booking,
    BookingStatus,
    CircuitBreaker,
    Conflict,
    ConflictKind,
)
from locks import selectors
from reminders.reservations.services import upsert_reservation
from tenants.models import Hotel, User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db


def text_of(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def add_booking(status: BookingStatus) -> Booking:
    today = selectors.today()
    return Booking.objects.create(
        reference="HA0123ABCD", status=status, hold_id=uuid7(), fencing_token=1, room_type="double",
        check_in=today, check_out=today + timedelta(days=2), adults=2, price="1240.00", currency="EUR",
    )  # fmt: skip


def connect(in_hotel: Hotel) -> None:
    changes = {"system": "qloapps", "url": "https://booking.example.com", "room_types": {"double": "3"}}
    connections.change_connection(changes=changes, key="0123456789ABCDEF")


def test_front_desk_reads_the_connection_without_codes_and_without_the_key(
    staff: Client, in_hotel: Hotel
) -> None:
    User.objects.update(role=Role.FRONT_DESK)
    text = text_of(staff, "/admin/pms/connection/")
    assert "The rooms and rates of hotelagent" in text
    for hidden in ("Access key", ">Key<", "{}", "booking.example.com"):
        assert hidden not in text
    connect(in_hotel)
    text = text_of(staff, "/admin/pms/connection/")
    assert "double = 3" in text
    assert "https://booking.example.com" in text
    assert ">Key<" not in text


@pytest.mark.parametrize(
    ("path", "name"),
    [("pms/connection", "Connection to a PMS"), ("reminders/emailbranding", "E-mail branding")],
)
def test_heading_and_title_of_a_page_of_settings_contain_its_name_once(
    staff: Client, path: str, name: str
) -> None:
    text = text_of(staff, f"/admin/{path}/")
    title, *_preview = re.findall("<title>(.+?)</title>", text)
    heading, *_preview = re.findall("<h1.+?</h1>", text)
    assert (title.count(name), heading.count(name)) == (1, 1)


def test_paused_calls_are_named_in_words_of_the_reader(staff: Client, in_hotel: Hotel) -> None:
    connect(in_hotel)
    error = message_to_json(TranslatableMessage("The property management system did not respond in time."))
    now = timezone.now()
    for operation in OPERATIONS:
        CircuitBreaker.objects.create(
            operation=operation, opened_at=now, open_until=now + timedelta(minutes=1), last_error=error
        )
    text = text_of(staff, "/admin/pms/connection/")
    assert "Making bookings: paused since" in text
    assert "(list_changes)" not in text
    User.objects.update(language="es")
    assert "Creación de reservas: en pausa desde el" in text_of(staff, "/admin/pms/connection/")


def test_unclear_booking_says_what_happens_next_and_a_settled_booking_does_not(
    staff: Client, in_hotel: Hotel
) -> None:
    unclear, booked = add_booking(BookingStatus.UNKNOWN), add_booking(BookingStatus.BOOKED)
    text = text_of(staff, f"/admin/pms/booking/{unclear.id}/change/")
    assert "searches the PMS for the reference automatically" in text
    assert "1,240.00 EUR" in text
    assert "automatically" not in text_of(staff, f"/admin/pms/booking/{booked.id}/change/")


def test_conflict_is_settled_on_its_page_which_links_to_the_reservation(
    staff: Client, in_hotel: Hotel
) -> None:
    today = selectors.today()
    reservation, _is_new = upsert_reservation(
        external_id="4711", arrival=today, departure=today + timedelta(days=1), guest_name="Ana Reyes"
    )
    conflict = Conflict.objects.create(kind=ConflictKind.OVERBOOKED, pms_id="4711")
    page = f"/admin/pms/conflict/{conflict.id}/change/"
    text = text_of(staff, page)
    assert f"/admin/reminders/reservation/{reservation.id}/change/" in text
    assert "Mark as settled" in text
    staff.post("/admin/pms/conflict/", {"action": "settle", "_selected_action": str(conflict.id)})
    assert "Mark as settled" not in text_of(staff, page)


def test_conflicts_are_among_the_problems_of_the_menu(staff: Client) -> None:
    tabs = [tab["title"] for tab in staff.get("/admin/pms/conflict/").context["page_tabs"]]
    assert tabs[0] == "Failure groups"
    assert "Conflicts with the PMS" in tabs


def test_audit_descriptions_name_operations_and_reasons_in_words() -> None:
    data = {"operation": "list_changes", "reason": "pms-unavailable"}
    with translation.override("es"):
        text = events.CALL_FAILED.describe(actor="worker", subject="", data=data)
    assert "importación de los cambios" in text
    assert "pms-unavailable" not in text
