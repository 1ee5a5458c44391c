"""Webhooks and the waiting list in the hotel's admin."""

import re

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks import services
from locks.waiting_list.models import WaitingListEntry
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks.delivery import make_final_attempt
from locks.webhooks.errors import WebhookDeliveryFailed
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook
from locks.webhooks.topics import TOPICS
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST
from tests.locks.conftest import SomeNights
from tests.locks.helpers import send_due
from tests.locks.receiver import Receiver

pytestmark = pytest.mark.django_db

HOOKS = "/admin/locks/webhook/"


def test_a_manager_makes_and_tests_a_webhook(staff: Client, in_hotel: Hotel, receiver: Receiver) -> None:
    shown = staff.post(f"{HOOKS}add/", {"url": receiver.url, "events": ["hold.created"], "active": "on"})
    assert shown.status_code == 200
    assert b"whsec_" in shown.content
    assert "no-store" in shown["Cache-Control"]
    webhook = Webhook.objects.get()
    assert b"whsec_" not in staff.get(f"{HOOKS}{webhook.id}/change/").content
    act = {"action": "send_test", "_selected_action": [str(webhook.id)]}
    answer = staff.post(HOOKS, act, follow=True)
    assert b"127.0.0.1 answered 204" in answer.content
    assert receiver.kinds == ["ping"]
    changed = staff.post(f"{HOOKS}{webhook.id}/change/", {"url": receiver.url, "events": ["hold.expired"]})
    assert changed.status_code == 302
    webhook.refresh_from_db()
    assert (webhook.active, webhook.events) == (False, ["hold.expired"])
    assert staff.post(f"{HOOKS}{webhook.id}/delete/", {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()


def test_a_manager_rotates_a_secret_from_the_webhook_s_page(
    staff: Client, in_hotel: Hotel, receiver: Receiver
) -> None:
    webhook, old = create_webhook(url=receiver.url, topics=["hold.created"])
    page = staff.get(f"{HOOKS}{webhook.id}/change/").content
    assert b'value="rotate_secret"' in page
    assert b'value="send_test"' in page
    act = {"action": "rotate_secret", "_selected_action": [str(webhook.id)], "overlap_hours": "168"}
    shown = staff.post(HOOKS, act)
    assert "no-store" in shown["Cache-Control"]
    assert b"whsec_" in shown.content
    assert old.encode() not in shown.content
    webhook.refresh_from_db()
    assert webhook.previous_secret_expires_at is not None
    assert b"signed with the old secret too" in staff.get(f"{HOOKS}{webhook.id}/change/").content
    other, _secret = create_webhook(url=receiver.url, topics=["hold.created"])
    both = {**act, "_selected_action": [str(webhook.id), str(other.id)]}
    assert b"Choose one webhook" in staff.post(HOOKS, both, follow=True).content


def test_a_webhook_is_deleted_with_what_it_was_told(
    staff: Client, receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    webhook, _secret = create_webhook(url=receiver.url, topics=["hold.created"])
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert WebhookDelivery.objects.exists()
    address = f"{HOOKS}{webhook.id}/delete/"
    assert b'name="post"' in staff.get(address).content
    assert staff.post(address, {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_the_address_is_judged_in_the_form(staff: Client, in_hotel: Hotel) -> None:
    page = staff.post(f"{HOOKS}add/", {"url": "ftp://pms.example.com/", "events": ["hold.created"]})
    assert b"must start with https://" in page.content


def test_the_front_desk_sees_no_webhooks(hotel: Hotel) -> None:
    client = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="ann", password=None, role=Role.FRONT_DESK))
    assert client.get(HOOKS).status_code == 403


def test_what_was_told_and_who_waits_can_be_looked_at(
    staff: Client, receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, topics=["hold.created"])
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room_type="double", reference="WEB-9"))
    assert b"hold.created" in staff.get("/admin/locks/webhookdelivery/").content
    waiting = "/admin/locks/waitinglistentry/"
    assert b"WEB-9" in staff.get(waiting).content
    assert b"WEB-9" in staff.get(f"{waiting}{entry.id}/change/").content
    assert f"{waiting}{entry.id}/change/".encode() in staff.get("/admin/audit/event/").content
    act = {"action": "end_wait", "_selected_action": [str(entry.id)]}
    assert b"1 entry no longer waits." in staff.post(waiting, act, follow=True).content
    entry.refresh_from_db()
    assert entry.status == "cancelled"
    staff.post("/admin/language/", {"language": "es"})
    assert b"lista de espera" in staff.get(waiting).content.lower()


def test_who_waits_and_what_state_a_thing_is_in_are_said_in_words(
    staff: Client, receiver: Receiver, api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, topics=list(TOPICS))
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    wish = {
        "room": rooms[0],
        "check_in": nights(1).check_in.isoformat(),
        "check_out": nights(1).check_out.isoformat(),
    }
    assert api.post("/api/v1/waiting-list/", wish).status_code == 201
    entry, notice = WaitingListEntry.objects.get(), WebhookDelivery.objects.get()
    for address in (
        "waitinglistentry/",
        f"waitinglistentry/{entry.id}/change/",
        f"notice/{notice.id}/change/",
    ):
        page = staff.get(f"/admin/locks/{address}").content.decode()
        assert "key:" not in page
        assert "Status." not in page
        assert "tests" in page or "notice" in address  # the key's name
    staff.post("/admin/language/", {"language": "es"})
    hooks = staff.get(HOOKS).content.decode()
    assert "todos" in hooks
    assert re.search(r"bg-green-[^>]*>\s*activ", hooks), hooks


@pytest.fixture
def held(receiver: Receiver, rooms: list[int], nights: SomeNights) -> None:
    """A webhook that is still to be told of a hold."""
    create_webhook(url=receiver.url, topics=["hold.created"])
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))


@pytest.mark.parametrize(
    ("answer", "in_words"),
    [
        (500, {"en": "It answered 500.", "es": "Respondió 500."}),
        ("drop", {"en": "The request to 127.0.0.1 failed: ", "es": "La solicitud a 127.0.0.1 ha fallado: "}),
        ("off", {"en": "The webhook is switched off: switch", "es": "El webhook está desactivado: actívelo"}),
    ],
)
def test_why_a_notice_was_not_taken_is_said_in_the_reader_s_language(
    staff: Client, receiver: Receiver, held: None, answer: int | str, in_words: dict[str, str]
) -> None:
    notice = WebhookDelivery.objects.get()
    if answer == "off":
        WebhookDelivery.objects.update(status="failed")
        Webhook.objects.update(active=False)
        with pytest.raises(WebhookDeliveryFailed, match=in_words["en"]):
            make_final_attempt(notice.id)
    else:
        receiver.answers = [answer]
        send_due()
    for language, text in in_words.items():
        for page in ("", f"{notice.id}/change/"):
            shown = staff.get(f"/admin/locks/webhookdelivery/{page}", headers={"Accept-Language": language})
            assert text in shown.content.decode(), page


def test_the_trail_says_in_the_reader_s_language_why_a_webhook_was_switched_off(
    staff: Client, receiver: Receiver, held: None
) -> None:
    receiver.answers = [410]
    send_due()
    for language, text in (("en", "was switched off: it answered 410 Gone"), ("es", "respondió 410 Gone")):
        shown = staff.get("/admin/audit/event/", headers={"Accept-Language": language})
        assert text in shown.content.decode()
