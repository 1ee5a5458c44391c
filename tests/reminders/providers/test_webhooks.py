"""Tests of the webhook that receives events from mail providers: authentication, bounces and deliveries."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from dlq.models import Failure
from reminders.checks import check_webhook_secret
from reminders.models import Reminder, Reservation, Suppression
from reminders.sending import batch
from reminders.sending.retries import retry_failed
from reminders.services.suppressions import add_suppression, remove_suppression
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock
from tests.reminders.providers.payloads import (
    ANYMAIL,
    SECRET,
    SHAPES,
    mailgun,
    metadata,
    post_event,
    postmark,
)
from tests.servers import MailServer
from tests.web import QuietHandler, listening, serving

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.ANYMAIL = ANYMAIL


@pytest.fixture
def sent(book: Book, clock: Clock, smtp: MailServer) -> Reminder:
    """Return a reminder that has been sent."""
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    batch.send_due([reminder.id for reminder in Reminder.objects.filter(status="scheduled")])
    return Reminder.objects.get(status="sent")


@pytest.fixture(params=["postmark", "mailgun", "brevo"])
def bounced(request: pytest.FixtureRequest, sent: Reminder, hotel: Hotel) -> Callable[[], int]:
    """Return a function that sends a bounce event to the webhook and returns the status code of the response.

    Tests that use this fixture run once for each of three mail providers.
    """
    payload = SHAPES[request.param](metadata(sent, hotel))
    return lambda: post_event(request.param, payload)


def test_bounce_suppresses_the_address_and_creates_a_failure(
    sent: Reminder, bounced: Callable[[], int]
) -> None:
    for _told_twice in range(2):
        assert bounced() == 200
    sent.refresh_from_db()
    assert sent.status == "failed"
    assert "5.1.1" in sent.error_message
    assert Suppression.objects.get().reason == "bounced"
    failure = Failure.objects.get()
    assert failure.payload == {"reminder": str(sent.id), "to": "r1@example.com"}
    told = Event.objects.filter(event__in=["reminder.undelivered", "suppression.reported"])
    assert sorted(event.event for event in told) == ["reminder.undelivered", "suppression.reported"]
    assert {event.actor_label for event in told} <= {"Postmark", "Mailgun", "Brevo"}


def test_audit_events_about_a_provider_webhook_contain_the_address_of_the_request(
    sent: Reminder, hotel: Hotel, settings: Any
) -> None:
    settings.TRUSTED_PROXY_HOPS = 1  # the request of the test did not pass a reverse proxy
    post_event("postmark", postmark(metadata(sent, hotel)))
    told = Event.objects.filter(event="reminder.undelivered")
    assert list(told.values_list("actor_kind", "actor_id", "personal__actor__value")) == [
        ("key", "Postmark", {"ip": "127.0.0.1", "ip_is_peer": True})
    ]


def test_retry_after_a_bounce_uses_the_corrected_address_of_the_reservation(
    sent: Reminder, hotel: Hotel, smtp: MailServer, book: Book
) -> None:

    post_event("postmark", postmark(metadata(sent, hotel)))
    book("R1", "2030-05-10", "2030-05-12", guest_email="right@example.com")
    retry_failed(Failure.objects.get())
    assert len(smtp.to("right@example.com")) == 1


def test_retry_after_a_bounce_uses_the_address_that_staff_entered(
    sent: Reminder, hotel: Hotel, smtp: MailServer
) -> None:
    post_event("postmark", postmark(metadata(sent, hotel)))
    add_suppression(email="no-more@example.com")
    failure = Failure.objects.get()
    failure.payload["to"] = "right@example.com"
    retry_failed(failure)
    assert len(smtp.to("right@example.com")) == 1
    Reminder.objects.update(status="failed")
    failure.payload["to"] = "No-More@example.com"
    retry_failed(failure)
    assert not smtp.to("No-More@example.com")
    sent.refresh_from_db()
    assert (sent.status, sent.skip_reason) == ("skipped", "suppressed")


@pytest.mark.parametrize(("before", "after"), [("unknown", "sent"), ("sent", "sent"), ("failed", "failed")])
def test_delivery_event_changes_only_a_reminder_with_the_status_unknown(
    sent: Reminder, hotel: Hotel, before: str, after: str
) -> None:
    Reminder.objects.update(status=before)
    for _told_twice in range(2):
        assert post_event("mailgun", mailgun(metadata(sent, hotel), "delivered")) == 200
    sent.refresh_from_db()
    assert sent.status == after
    assert Event.objects.filter(event="reminder.settled").count() == (before == "unknown")


def test_bounce_reported_before_the_message_is_stored_as_sent_is_not_overwritten(
    book: Book, clock: Clock, hotel: Hotel, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stores that it has sent a message only when it starts to send the next message.

    The mail provider can report a bounce before the worker has stored that the message was sent.
    """
    clock("2030-05-09 12:00")
    for number in ("R1", "R2"):
        book(number, "2030-05-10", "2030-05-12")
    send = batch.Batch.send

    def send_and_report_bounce(self: batch.Batch, reminder: Reminder, *args: Any, **kwargs: Any) -> None:
        send(self, reminder, *args, **kwargs)
        bounce = postmark(metadata(reminder, hotel)) | {"Email": reminder.reservation.guest_email}
        assert post_event("postmark", bounce) == 200

    monkeypatch.setattr(batch.Batch, "send", send_and_report_bounce)
    due = [reminder.id for reminder in Reminder.objects.filter(status="scheduled")]
    for _tick in range(2):
        batch.send_due(due)
    assert list(Reminder.objects.filter(id__in=due).values_list("status", flat=True)) == ["failed"] * 2
    assert (Failure.objects.count(), Suppression.objects.count(), len(smtp.accepted)) == (2, 2, 2)
    assert not DueItem.objects.filter(item_id__in=due).exists()


def test_provider_event_with_the_id_of_another_hotel_changes_nothing(
    sent: Reminder, hotel: Hotel, other_hotel: Hotel
) -> None:
    data = {**metadata(sent, hotel), "hotel": other_hotel.id.hex}
    assert post_event("postmark", postmark(data)) == 200
    sent.refresh_from_db()
    assert sent.status == "sent"
    with hotel_context(other_hotel):
        assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "data",
    [{}, {"hotel": "x", "reminder": "y"}, {"hotel": "0" * 32, "reminder": "0" * 32}, {"hotel": None}],
)
def test_provider_event_about_an_unknown_message_is_accepted_and_ignored(
    sent: Reminder, data: dict[str, Any]
) -> None:
    assert post_event("postmark", postmark(data)) == 200
    assert not Suppression.objects.exists()


def test_mailgun_event_with_a_wrong_signature_is_rejected(sent: Reminder, hotel: Hotel) -> None:
    forged = copy.deepcopy(mailgun(metadata(sent, hotel)))
    forged["signature"]["signature"] = "0" * 64
    assert post_event("mailgun", forged) == 400


def test_webhook_without_a_configured_secret_returns_404(sent: Reminder, hotel: Hotel, settings: Any) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "WEBHOOK_SECRET": ""}
    assert post_event("postmark", postmark(metadata(sent, hotel)), secret="") == 404


@pytest.mark.parametrize(
    "path", ["/anymail/pigeon/tracking/", "/anymail/sendgrid/tracking/", "/anymail/postmark/inbound/"]
)
def test_webhook_url_with_a_wrong_provider_path_or_host_returns_404(path: str) -> None:
    assert Client(SERVER_NAME="localhost").post(path).status_code == 404
    assert Client(SERVER_NAME="alpha.localhost").post("/anymail/postmark/tracking/").status_code == 404


def test_audit_event_of_a_removed_suppression_contains_the_reason_of_the_suppression(
    sent: Reminder, hotel: Hotel
) -> None:
    post_event("postmark", postmark(metadata(sent, hotel)))
    remove_suppression(suppression_id=Suppression.objects.get().id)
    assert not Suppression.objects.exists()
    assert Event.objects.get(event="suppression.removed").data == {"reason": "bounced"}


@pytest.mark.parametrize(
    ("backend", "secret", "found"),
    [
        ("anymail.backends.postmark.EmailBackend", "", ["reminders.E002"]),
        ("anymail.backends.postmark.EmailBackend", "short", ["reminders.E003"]),
        ("anymail.backends.postmark.EmailBackend", "user:short", ["reminders.E003"]),
        ("anymail.backends.postmark.EmailBackend", SECRET, []),
        ("django.core.mail.backends.smtp.EmailBackend", "", []),
    ],
)
def test_system_check_reports_a_missing_or_weak_webhook_secret(
    settings: Any, backend: str, secret: str, found: list[str]
) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = backend, {"WEBHOOK_SECRET": secret}
    assert [message.id for message in check_webhook_secret()] == found


@pytest.fixture
def api_of_postmark(settings: Any) -> Iterator[list[dict[str, Any]]]:
    """Run a server that responds like Postmark's API, and return the list of received requests."""
    requests: list[dict[str, Any]] = []

    class Api(QuietHandler):
        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            content = {"ErrorCode": 0, "Message": "OK", "MessageID": "883953f4", "To": requests[-1]["To"]}
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(listening(Api)) as server:
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_API_URL": f"http://127.0.0.1:{server.server_port}"}
        yield requests


def test_request_to_a_mail_provider_contains_the_metadata_that_the_webhook_needs(
    book: Book, clock: Clock, hotel: Hotel, api_of_postmark: list[dict[str, Any]]
) -> None:
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    batch.send_due([reminder.id for reminder in Reminder.objects.filter(status="scheduled")])
    sent = Reminder.objects.get(status="sent")
    [request] = api_of_postmark
    assert request["Metadata"] == metadata(sent, hotel)
    headers = {header["Name"]: header["Value"] for header in request["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "/unsubscribe/" in headers["List-Unsubscribe"]
    assert sent.id.hex in headers["Message-ID"]
    assert post_event("postmark", postmark(request["Metadata"])) == 200
    sent.refresh_from_db()
    assert sent.status == "failed"
