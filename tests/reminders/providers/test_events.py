"""Tests of the events that each mail provider reports, such as bounces and deliveries.

An event can change the reminder, suppress the e-mail address, and cause the next reminder to be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from anymail.signals import AnymailTrackingEvent
from django.template.loader import render_to_string
from django.utils import translation

from dlq.models import Failure
from hotelagent.core import service_urls
from hotelagent.settings.providers import PROVIDERS, provider_settings
from reminders import selectors
from reminders.models import Reminder, Reservation, Suppression
from reminders.providers import event_mapping
from reminders.sending import batch
from reminders.sending.retries import retry_failed
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.reminders.providers.payloads import ANYMAIL, SHAPES, TO, amazon_subscribes, metadata, post_event
from tests.servers import MailServer
from tests.web import QuietHandler, listening, serving

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]

#: The arguments with which the tests build each provider's payload, by the meaning of the event.
EVENTS: dict[str, dict[str, tuple[Any, ...]]] = {
    "amazon_ses": {
        "hard": (), "complaint": ("Complaint",), "deferred": ("DeliveryDelay",), "delivered": ("Delivery",),
        "opened": ("Open",), "soft": ("Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
        "listed": ("Bounce", {"bounceSubType": "OnAccountSuppressionList"}),
        "unclear": ("Bounce", {"bounceType": "Undetermined", "bounceSubType": "Undetermined"}),
    },
    "brevo": {
        "hard": (), "soft": ("soft_bounce", {"reason": "mailbox full"}), "complaint": ("spam",),
        "deferred": ("deferred",), "delivered": ("delivered",), "opened": ("unique_opened",),
        "unsubscribed": ("unsubscribed",), "blocked": ("blocked", {"reason": "blocked : due to blacklist user"}),
        "invalid": ("invalid_email",),
    },
    "mailgun": {
        "hard": (), "complaint": ("complained",), "delivered": ("delivered",), "opened": ("opened",),
        "deferred": ("failed", {"severity": "temporary", "reason": "generic"}), "unsubscribed": ("unsubscribed",),
        "late bounce": ("failed", {"reason": "delayed-bounce"}), "listed": ("failed", {"reason": "suppress-bounce"}),
        "listed complaint": ("failed", {"reason": "suppress-complaint"}),
        "listed unsubscribed": ("failed", {"reason": "suppress-unsubscribe"}), "too old": ("failed", {"reason": "old"}),
    },
    "postmark": {
        "hard": (), "soft": ("Bounce", {"Type": "SoftBounce", "Details": "smtp;552 mailbox full"}),
        "full": ("Bounce", {"Details": "smtp;452 4.2.2 mailbox full"}), "complaint": ("SpamComplaint",),
        "deferred": ("Bounce", {"Type": "Transient"}), "delivered": ("Delivery",), "opened": ("Open",),
        "unsubscribed": ("SubscriptionChange",), "invalid": ("Bounce", {"Type": "BadEmailAddress"}),
    },
    "resend": {
        "hard": (), "complaint": ("complained",), "deferred": ("delivery_delayed",), "delivered": ("delivered",),
        "opened": ("opened",),
        "soft": ("bounced", {"bounce": {"message": "Inbox full.", "subType": "MailboxFull", "type": "Transient"}}),
        "listed": ("suppressed", {"suppressed": {"message": "On the list.", "type": "OnAccountSuppressionList"}}),
        "failed": ("failed", {"failed": {"reason": "reached_daily_quota"}}),
    },
    "sparkpost": {
        "hard": (), "late bounce": ("out_of_band",), "full": ("bounce", {"bounce_class": "22"}),
        "soft": ("bounce", {"bounce_class": "70"}), "complaint": ("spam_complaint", {"fbtype": "abuse"}),
        "deferred": ("delay", {"bounce_class": "20"}), "delivered": ("delivery",), "opened": ("open",),
        "unsubscribed": ("list_unsubscribe",), "blocked": ("policy_rejection", {"bounce_class": "25"}),
    },
}  # fmt: skip

#: The status of the reminder after the event, and the reason of the suppression, if any.
EFFECTS = {
    "hard": ("failed", "bounced"), "late bounce": ("failed", "bounced"), "listed": ("failed", "bounced"),
    "invalid": ("failed", "bounced"), "soft": ("failed", None), "full": ("failed", None), "unclear": ("failed", None),
    "blocked": ("failed", None), "failed": ("failed", None), "too old": ("failed", None),
    "listed complaint": ("failed", "complained"), "listed unsubscribed": ("failed", "unsubscribed"),
    "complaint": ("sent", "complained"), "unsubscribed": ("sent", "unsubscribed"),
    "deferred": ("sent", None), "delivered": ("sent", None), "opened": ("sent", None),
}  # fmt: skip
PROVIDER_EVENTS = [(provider, meaning) for provider, events in EVENTS.items() for meaning in events]


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.ANYMAIL = ANYMAIL


@pytest.fixture
def sent(book: Book, clock: Clock, smtp: MailServer) -> Reminder:
    """Create a reservation with two reminders, send the first reminder, and return the first reminder.

    The second reminder is due six days after the first reminder.
    """
    clock("2030-05-03 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    send_scheduled()
    return Reminder.objects.get(status="sent")


def send_scheduled() -> None:
    batch.send_due(list(Reminder.objects.filter(status="scheduled").values_list("id", flat=True)))


def payload_of(provider: str, meaning: str, data: dict[str, str]) -> Any:
    kind, more = (*EVENTS[provider][meaning], None, None)[:2]
    return SHAPES[provider](data, *([kind] if kind else []), **(more or {}))


def timeline(reminder: Reminder) -> str:
    entries = selectors.timeline(reservation_id=reminder.reservation_id)
    with translation.override("es"):
        return render_to_string("reminders/timeline.html", {"entries": entries})


def test_required_events_of_every_mail_provider_are_covered_by_tests() -> None:
    assert EVENTS.keys() == {provider.anymail_name for provider in PROVIDERS.values()}
    must = {"hard", "deferred", "complaint", "delivered", "opened"}
    assert [provider for provider, events in EVENTS.items() if not must <= events.keys()] == []


@pytest.mark.parametrize("event", PROVIDER_EVENTS, ids=": ".join)
def test_provider_event_updates_the_reminder_and_may_prevent_the_next_reminder(
    sent: Reminder, hotel: Hotel, clock: Clock, smtp: MailServer, event: tuple[str, str]
) -> None:
    provider, meaning = event
    for _twice in range(2):
        assert post_event(provider, payload_of(provider, meaning, metadata(sent, hotel))) == 200
    status, reason = EFFECTS[meaning]
    sent.refresh_from_db()
    assert sent.status == status
    assert Failure.objects.count() == (status == "failed")
    assert list(Suppression.objects.values_list("email", "reason")) == ([(TO, reason)] if reason else [])
    assert (sent.opened_at is not None) == (meaning == "opened")
    shown = timeline(sent)
    assert ("abierto:" in shown) == (meaning == "opened")
    assert ("falló" in shown) == (status == "failed")
    clock("2030-05-09 12:00")
    send_scheduled()
    following = Reminder.objects.exclude(id=sent.id).get()
    expected = ("skipped", "suppressed") if reason else ("sent", "")
    assert (following.status, following.skip_reason) == expected
    assert ("lista de exclusión" in timeline(sent)) == (reason is not None)
    assert len(smtp.to(TO)) == (1 if reason else 2)


@pytest.mark.parametrize("provider", sorted(EVENTS))
@pytest.mark.parametrize("secret", ["", "provider:wrong", "nobody"])
def test_provider_event_without_the_webhook_secret_is_rejected(
    sent: Reminder, hotel: Hotel, provider: str, secret: str
) -> None:
    # Amazon first posts without the secret. The response asks for HTTP authentication, and Amazon repeats the request.
    refused = 401 if provider == "amazon_ses" and not secret else 400
    assert post_event(provider, payload_of(provider, "hard", metadata(sent, hotel)), secret=secret) == refused
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert not Suppression.objects.exists()


CONFIRMED = b"<ConfirmSubscriptionResponse><ConfirmSubscriptionResult/></ConfirmSubscriptionResponse>"


@pytest.fixture
def sns(settings: Any) -> Iterator[list[dict[str, list[str]]]]:
    """Run a server that responds like Amazon SNS, which delivers the events of Amazon SES.

    Return the list of received requests.
    """
    requests: list[dict[str, list[str]]] = []

    class Api(QuietHandler):
        def do_POST(self) -> None:
            requests.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_head(200, **{"Content-Length": str(len(CONFIRMED))})
            self.wfile.write(CONFIRMED)

    with serving(listening(Api)) as server:
        found = PROVIDERS["ses"].anymail_name.upper() + "_CLIENT_PARAMS"
        amazon = provider_settings(
            service_urls.parse(
                f"ses://key:secret@eu-west-1?endpoint_url=http://127.0.0.1:{server.server_port}",
                variable="EMAIL_URL",
                schemes=["ses"],
                example="",
            )
        )
        settings.ANYMAIL = {**ANYMAIL, found: amazon["ANYMAIL"][found]}
        yield requests


def test_amazon_sns_subscription_with_the_webhook_secret_is_confirmed_automatically(
    sns: list[dict[str, list[str]]], db: None
) -> None:
    assert post_event("amazon_ses", amazon_subscribes(), secret="provider:wrong") == 400
    assert sns == []
    assert post_event("amazon_ses", amazon_subscribes()) == 200
    [request] = sns
    event = amazon_subscribes()
    assert request["Action"] == ["ConfirmSubscription"]
    assert (request["TopicArn"], request["Token"]) == ([event["TopicArn"]], [event["Token"]])


@pytest.mark.parametrize("provider", sorted(EVENTS))
def test_bounce_of_the_previous_address_does_not_suppress_the_corrected_address(
    sent: Reminder, hotel: Hotel, book: Book, smtp: MailServer, provider: str
) -> None:
    bounce = payload_of(provider, "hard", metadata(sent, hotel))
    assert post_event(provider, bounce) == 200
    book("R1", "2030-05-10", "2030-05-12", guest_email="right@bücher.example")
    retry_failed(Failure.objects.get())
    assert post_event(provider, bounce) == 200
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert list(Suppression.objects.values_list("email", flat=True)) == [TO]


@pytest.mark.parametrize("address", ["R1@Example.com", "Ana <r1@example.com>"])
def test_provider_event_with_another_spelling_of_the_address_is_accepted(
    sent: Reminder, hotel: Hotel, address: str
) -> None:
    assert post_event("resend", SHAPES["resend"](metadata(sent, hotel), to=[address])) == 200
    assert Suppression.objects.get().email == TO


@pytest.mark.parametrize(
    "address", ["somebody@else.example", "x" * 70, f"a@{'x' * 70}.example", "@", "a@b@c"]
)
def test_provider_event_about_an_address_that_is_not_the_recipient_is_ignored(
    sent: Reminder, hotel: Hotel, address: str
) -> None:
    bounce = payload_of("postmark", "hard", metadata(sent, hotel)) | {"Email": address}
    assert post_event("postmark", bounce) == 200
    assert not Suppression.objects.exists()


def test_bounce_error_is_shown_in_the_language_of_the_user(sent: Reminder, hotel: Hotel) -> None:
    assert post_event("postmark", payload_of("postmark", "hard", metadata(sent, hotel))) == 200
    sent.refresh_from_db()
    assert sent.error_message.startswith("the recipient's mail server returned the message: smtp;550 5.1.1")
    shown = timeline(sent)
    assert "el servidor de correo del destinatario devolvió el mensaje: smtp;550 5.1.1" in shown
    assert "bounced" not in shown


@pytest.mark.parametrize(
    ("reported", "expected"),
    [("Ana@XN--FA-HIA.example", True), ("ana@faß.example", True), ("ana@fass.example", False)],
)
def test_event_about_an_internationalized_domain_does_not_apply_to_a_similar_domain(
    reported: str, expected: bool
) -> None:
    event = AnymailTrackingEvent(event_type="bounced", recipient=reported, esp_event={})
    assert event_mapping.is_about(event, "ana@faß.example") is expected
