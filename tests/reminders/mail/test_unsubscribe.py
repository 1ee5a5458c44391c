"""Tests of the unsubscribe link in messages to guests, and of the page that the link opens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from audit.models import Event
from reminders.mail import unsubscribe_links
from reminders.models import Reminder, Reservation, Suppression, Template
from reminders.sending import batch
from reminders.services.emails import send_test_message
from reminders.services.suppressions import add_suppression
from tenants import services as hotels
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.host_routing import public_url
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture
def guest() -> Client:
    """Return a test client for the hotel's host, with CSRF checks enabled as for requests from a browser."""
    return Client(SERVER_NAME=ALPHA_HOST, enforce_csrf_checks=True)


@pytest.fixture
def send_to(book: Book, clock: Clock, smtp: MailServer) -> Callable[..., str]:
    """Return a function that sends a message to a guest and returns the path of the unsubscribe link.

    Example: send_to("R1", language="es").
    """

    def send(number: str, **fields: Any) -> str:
        clock("2030-05-09 12:00")
        book(number, "2030-05-10", "2030-05-12", **fields)
        waiting = Reminder.objects.filter(status="scheduled", reservation__external_id=number)
        batch.send_due([reminder.id for reminder in waiting])
        return urlsplit(str(smtp.accepted[-1]["List-Unsubscribe"]).strip(" <>")).path

    return send


def is_unsubscribed(address: str) -> bool:
    return Suppression.objects.filter(email=address, reason="unsubscribed").exists()


def test_message_contains_the_unsubscribe_link_in_header_text_and_html(
    send_to: Callable[..., str], smtp: MailServer
) -> None:
    path = send_to("R1")
    mail = smtp.accepted[-1]
    url = f"http://{ALPHA_HOST}:8000{path}"
    assert mail["List-Unsubscribe"].strip() == f"<{url}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"  # RFC 8058, 3.1
    for kind in ("plain", "html"):
        body = mail.get_body([kind])
        assert body is not None
        assert url in body.get_content()


def test_get_and_head_requests_to_the_unsubscribe_link_change_nothing(
    send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    for _again in range(2):
        page = guest.get(path)
        assert page.status_code == 200
        assert '<form method="post">' in page.content.decode()
        assert guest.head(path).status_code == 200
    assert not is_unsubscribed("r1@example.com")


def test_unsubscribing_twice_suppresses_the_address_and_records_one_event(
    send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    for _again in range(2):
        response = guest.post(path)
        assert response.status_code == 200
        assert "<form" not in response.content.decode()
    assert is_unsubscribed("r1@example.com")
    [event] = Event.objects.filter(event="suppression.unsubscribed")
    assert event.fields == {"number": "R1"}
    assert "r1@example.com" not in str(event.__dict__)
    assert "<form" not in guest.get(path).content.decode()


def test_one_click_unsubscribe_request_needs_no_cookie_and_gets_no_redirect(
    send_to: Callable[..., str], guest: Client
) -> None:
    """RFC 8058, section 3.2, requires the POST request to work without cookies and without a redirect."""
    path = send_to("R1")
    response = guest.post(
        path, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 200
    assert not response.cookies
    assert is_unsubscribed("r1@example.com")


def test_reminder_to_an_unsubscribed_address_is_skipped(
    send_to: Callable[..., str], guest: Client, smtp: MailServer
) -> None:
    guest.post(send_to("R1"))
    sent = len(smtp.accepted)
    send_to("R2", guest_email="R1@example.com")
    assert len(smtp.accepted) == sent
    assert Reminder.objects.filter(reservation__external_id="R2", skip_reason="suppressed").count() == 1


def test_unsubscribe_link_of_one_hotel_is_not_valid_at_another_hotel(
    send_to: Callable[..., str], guest: Client, other_hotel: Hotel
) -> None:
    path = send_to("R1")
    client_of_other_hotel = Client(SERVER_NAME="beta.localhost")
    assert client_of_other_hotel.post(path).status_code == 404
    reminder = Reminder.objects.exclude(recipient="").get()
    forged = unsubscribe_links.url(reminder.id, hotel=other_hotel.tenant, base_url="")
    assert guest.post(forged).status_code == 404
    assert not Suppression.objects.exists()
    with hotel_context(other_hotel):
        assert not Suppression.objects.exists()


@pytest.mark.parametrize("token", ["x", "x.y", "0" * 32, f"{'0' * 32}.{'A' * 43}"])
def test_unsubscribe_link_with_a_wrong_signature_returns_404_and_changes_nothing(
    guest: Client, in_hotel: Hotel, token: str
) -> None:
    page = guest.post(f"/unsubscribe/{token}/")
    assert page.status_code == 404
    assert "This link is not valid" in page.content.decode()


@pytest.mark.parametrize(
    ("language", "button", "lang"),
    [
        ("es", "Darse de baja", "es"),
        ("pt-br", "Cancelar a subscrição", "pt"),
        ("en", "Unsubscribe", "en"),
        ("de", "Unsubscribe", "en"),
        ("", "Unsubscribe", "en"),
    ],
)
def test_unsubscribe_page_is_shown_in_the_language_of_the_guest(
    send_to: Callable[..., str], guest: Client, language: str, button: str, lang: str
) -> None:
    page = guest.get(send_to("R1", language=language))
    assert f"{button}</button>" in page.content.decode()
    assert f'<html lang="{lang}" dir="ltr">' in page.content.decode()
    assert page.headers["Content-Language"] == lang


def test_unsubscribe_page_shows_a_masked_email_address(send_to: Callable[..., str], guest: Client) -> None:
    page = guest.get(send_to("R1")).content.decode()
    assert "r…@example.com" in page
    assert "r1@example.com" not in page


def test_unsubscribe_page_is_not_cached_and_loads_nothing_from_other_hosts(
    send_to: Callable[..., str], guest: Client
) -> None:
    page = guest.get(send_to("R1"))
    assert "no-store" in page.headers["Cache-Control"]
    assert "script" not in page.content.decode()
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert not re.search(r'(?:src|href)="https?:', page.content.decode())


def test_unsubscribing_after_the_guest_changed_address_suppresses_the_previous_address(
    send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    Reservation.objects.update(guest_email="new@example.com")
    guest.post(path)
    assert is_unsubscribed("r1@example.com")
    assert not is_unsubscribed("new@example.com")


def test_unsubscribe_link_in_a_test_message_is_not_valid(
    hotel: Hotel, in_hotel: Hotel, smtp: MailServer, guest: Client
) -> None:
    send_test_message(Template.objects.all()[0], recipient="manager@example.com")
    body = smtp.accepted[0].get_body(["plain"])
    assert body is not None
    [path] = re.findall(rf"http://{ALPHA_HOST}:8000(\S+)", body.get_content())
    assert guest.post(path).status_code == 404
    assert not Suppression.objects.exists()


def test_unsubscribing_a_suppressed_address_keeps_the_reason_of_its_suppression(
    send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    add_suppression(email="r1@example.com")
    assert "<form" not in guest.get(path).content.decode()
    guest.post(path)
    assert Suppression.objects.get().reason == "manual"


def test_links_in_messages_use_https_and_the_custom_domain_of_the_hotel(hotel: Hotel, settings: Any) -> None:

    settings.SECURE_SSL_REDIRECT = True  # as in production
    assert public_url(hotel.tenant) == "https://alpha.localhost"
    hotels.add_domain(hotel_id=hotel.id, host="www.alpha.example")
    hotels.add_domain(hotel_id=hotel.id, host="guests.alpha.example")
    assert public_url(hotel.tenant) == "https://guests.alpha.example"


def test_unsubscribe_link_to_the_old_host_of_a_renamed_hotel_works(
    hotel: Hotel, send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    hotels.rename_hotel(hotel_id=hotel.id, slug="alpine")
    assert guest.get(path).status_code == 200
    assert guest.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    with hotel_context(hotel):
        assert is_unsubscribed("r1@example.com")
    for other in ("/admin/", "/admin/login/", "/api/v1/rooms/", "/api/docs/"):
        assert guest.get(other).status_code == 404


def test_unsubscribe_link_to_a_removed_domain_works(
    hotel: Hotel, send_to: Callable[..., str], guest: Client, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    hotels.add_domain(hotel_id=hotel.id, host="alpha.example")
    path = send_to("R1")
    hotels.remove_domain(hotel_id=hotel.id, host="alpha.example")
    assert guest.post(path, headers={"host": "alpha.example"}).status_code == 200


def test_unsubscribe_link_to_a_host_that_another_hotel_now_uses_returns_404(
    hotel: Hotel, other_hotel: Hotel, send_to: Callable[..., str], guest: Client
) -> None:
    path = send_to("R1")
    hotels.rename_hotel(hotel_id=hotel.id, slug="alpine")
    hotels.rename_hotel(hotel_id=other_hotel.id, slug="alpha")
    assert guest.get(path).status_code == 404
    hotels.rename_hotel(hotel_id=other_hotel.id, slug="beta")
    assert guest.get(path).status_code == 404


def test_former_hosts_of_a_hotel_do_not_contain_its_current_host(hotel: Hotel) -> None:
    hotels.rename_hotel(hotel_id=hotel.id, slug="alpine")
    renamed = hotels.rename_hotel(hotel_id=hotel.id, slug="alpha")
    with platform_context():
        renamed.refresh_from_db()
    assert renamed.former_hosts == ["alpine.localhost"]


def test_calendar_feed_at_the_old_host_of_a_renamed_hotel_works(hotel: Hotel, guest: Client) -> None:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="channel", scopes=["calendar:read"])
    hotels.rename_hotel(hotel_id=hotel.id, slug="alpine")
    assert guest.get(f"/api/v1/reservations.ics?token={secret}").status_code == 200
