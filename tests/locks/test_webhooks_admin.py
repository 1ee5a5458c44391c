"""Tests of the admin pages for webhooks, webhook deliveries and the waiting list."""

import re

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks import services
from locks.waiting_list.models import WaitingListEntry
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks.delivery import make_final_attempt
from locks.webhooks.errors import WebhookDeliveryFailed
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST
from tests.locks.conftest import SomeNights
from tests.locks.helpers import send_due_deliveries
from tests.locks.receiver import Receiver

pytestmark = pytest.mark.django_db

WEBHOOKS = "/admin/locks/webhook/"


def test_webhook_can_be_created_tested_changed_and_deleted_by_a_manager(
    staff: Client, in_hotel: Hotel, receiver: Receiver
) -> None:
    response = staff.post(
        f"{WEBHOOKS}add/", {"url": receiver.url, "events": ["hold.created"], "active": "on"}
    )
    assert response.status_code == 200
    assert b"whsec_" in response.content
    assert "no-store" in response["Cache-Control"]
    webhook = Webhook.objects.get()
    assert b"whsec_" not in staff.get(f"{WEBHOOKS}{webhook.id}/change/").content
    action = {"action": "send_test", "_selected_action": [str(webhook.id)]}
    response = staff.post(WEBHOOKS, action, follow=True)
    assert b"127.0.0.1 responded with HTTP status 204" in response.content
    assert receiver.event_types == ["webhook.test"]
    changed = staff.post(f"{WEBHOOKS}{webhook.id}/change/", {"url": receiver.url, "events": ["hold.expired"]})
    assert changed.status_code == 302
    webhook.refresh_from_db()
    assert (webhook.active, webhook.events) == (False, ["hold.expired"])
    assert staff.post(f"{WEBHOOKS}{webhook.id}/delete/", {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()


def test_rotate_secret_on_the_webhook_page_shows_the_new_secret_once(
    staff: Client, in_hotel: Hotel, receiver: Receiver
) -> None:
    webhook, old = create_webhook(url=receiver.url, event_types=["hold.created"])
    page = staff.get(f"{WEBHOOKS}{webhook.id}/change/").content
    assert b'value="rotate_secret"' in page
    assert b'value="send_test"' in page
    action = {"action": "rotate_secret", "_selected_action": [str(webhook.id)], "overlap_hours": "168"}
    response = staff.post(WEBHOOKS, action)
    assert "no-store" in response["Cache-Control"]
    assert b"whsec_" in response.content
    assert old.encode() not in response.content
    webhook.refresh_from_db()
    assert webhook.previous_secret_expires_at is not None
    assert b"also signed with the previous secret" in staff.get(f"{WEBHOOKS}{webhook.id}/change/").content
    other, _secret = create_webhook(url=receiver.url, event_types=["hold.created"])
    both = {**action, "_selected_action": [str(webhook.id), str(other.id)]}
    assert b"Select a single webhook" in staff.post(WEBHOOKS, both, follow=True).content


def test_deleting_a_webhook_deletes_its_deliveries(
    staff: Client, receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    webhook, _secret = create_webhook(url=receiver.url, event_types=["hold.created"])
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert WebhookDelivery.objects.exists()
    url = f"{WEBHOOKS}{webhook.id}/delete/"
    assert b'name="post"' in staff.get(url).content
    assert staff.post(url, {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_webhook_form_with_a_url_without_https_shows_an_error(staff: Client, in_hotel: Hotel) -> None:
    page = staff.post(f"{WEBHOOKS}add/", {"url": "ftp://pms.example.com/", "events": ["hold.created"]})
    assert b"must start with https://" in page.content


def test_front_desk_has_no_access_to_webhooks(hotel: Hotel) -> None:
    client = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="ann", password=None, role=Role.FRONT_DESK))
    assert client.get(WEBHOOKS).status_code == 403


def test_webhook_deliveries_are_listed_in_the_admin(
    staff: Client, receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, event_types=["hold.created"])
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert b"hold.created" in staff.get("/admin/locks/webhookdelivery/").content


def test_waiting_list_entry_is_listed_in_the_admin_and_can_be_cancelled(
    staff: Client, rooms: list[int], nights: SomeNights
) -> None:
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room_type="double", reference="WEB-9"))
    waiting = "/admin/locks/waitinglistentry/"
    assert b"WEB-9" in staff.get(waiting).content
    assert b"WEB-9" in staff.get(f"{waiting}{entry.id}/change/").content
    assert f"{waiting}{entry.id}/change/".encode() in staff.get("/admin/audit/event/").content
    action = {"action": "cancel_entries", "_selected_action": [str(entry.id)]}
    assert b"1 entry was cancelled." in staff.post(waiting, action, follow=True).content
    entry.refresh_from_db()
    assert entry.status == "cancelled"
    staff.post("/admin/language/", {"language": "es"})
    assert b"lista de espera" in staff.get(waiting).content.lower()


def test_admin_pages_show_client_names_and_status_labels(
    staff: Client, receiver: Receiver, api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, event_types=WebhookEvent.values)
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    request = {
        "room": rooms[0],
        "check_in": nights(1).check_in.isoformat(),
        "check_out": nights(1).check_out.isoformat(),
    }
    assert api.post("/api/v1/waiting-list/", request).status_code == 201
    entry, delivery = WaitingListEntry.objects.get(), WebhookDelivery.objects.get()
    for address in (
        "waitinglistentry/",
        f"waitinglistentry/{entry.id}/change/",
        f"webhookdelivery/{delivery.id}/change/",
    ):
        page = staff.get(f"/admin/locks/{address}").content.decode()
        assert "key:" not in page
        assert "Status." not in page
        assert "tests" in page or "webhookdelivery" in address  # `tests` is the name of the API key
    staff.post("/admin/language/", {"language": "es"})
    hooks = staff.get(WEBHOOKS).content.decode()
    assert "Todos" in hooks
    assert re.search(r"bg-green-[^>]*>\s*Activado", hooks)


@pytest.fixture
def pending_delivery(receiver: Receiver, rooms: list[int], nights: SomeNights) -> None:
    """Create a webhook for new holds, and a hold, so that one delivery is pending."""
    create_webhook(url=receiver.url, event_types=["hold.created"])
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        (
            500,
            {
                "en": "The server responded with HTTP status 500.",
                "es": "El servidor respondió con el código de estado HTTP 500.",
            },
        ),
        ("drop", {"en": "The request to 127.0.0.1 failed: ", "es": "La solicitud a 127.0.0.1 ha fallado: "}),
        ("off", {"en": "The webhook is off. Turn it on", "es": "El webhook está desactivado. Actívelo"}),
    ],
)
def test_error_of_a_delivery_is_shown_in_the_language_of_the_reader(
    staff: Client, receiver: Receiver, pending_delivery: None, answer: int | str, messages: dict[str, str]
) -> None:
    delivery = WebhookDelivery.objects.get()
    if answer == "off":
        WebhookDelivery.objects.update(status="failed")
        Webhook.objects.update(active=False)
        with pytest.raises(WebhookDeliveryFailed, match=messages["en"]):
            make_final_attempt(delivery.id)
    else:
        receiver.responses = [answer]
        send_due_deliveries()
    for language, text in messages.items():
        for page in ("", f"{delivery.id}/change/"):
            response = staff.get(
                f"/admin/locks/webhookdelivery/{page}", headers={"Accept-Language": language}
            )
            assert text in response.content.decode(), page


def test_audit_trail_translates_the_reason_for_turning_a_webhook_off(
    staff: Client, receiver: Receiver, pending_delivery: None
) -> None:
    receiver.responses = [410]
    send_due_deliveries()
    for language, text in (
        ("en", "was turned off: the receiving server responded with 410 Gone"),
        ("es", "se desactivó: el servidor de destino respondió 410 Gone"),
    ):
        response = staff.get("/admin/audit/event/", headers={"Accept-Language": language})
        assert text in response.content.decode()
