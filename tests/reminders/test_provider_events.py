"""What each provider of EMAIL_URL tells of a mail, and what becomes of the reminder, its address and the next mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from dlq.models import Failure
from hotelagent.settings.providers import PROVIDERS, provider_settings
from reminders import selectors
from reminders.models import Reminder, Reservation, Suppression
from reminders.sending import batch
from reminders.sending.retries import retry_failed
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.reminders.provider_payloads import ANYMAIL, SHAPES, TO, amazon_subscribes, metadata, tell
from tests.servers import MailServer
from tests.web import QuietHandler, listening, serving

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]

#: What each posts, by what we take it for; what it has no word for is left out.
TOLD: dict[str, dict[str, tuple[Any, ...]]] = {
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

#: The reminder's status then, and why its address is on the list, if it is.
BECOMES = {
    "hard": ("failed", "bounced"), "late bounce": ("failed", "bounced"), "listed": ("failed", "bounced"),
    "invalid": ("failed", "bounced"), "soft": ("failed", None), "full": ("failed", None), "unclear": ("failed", None),
    "blocked": ("failed", None), "failed": ("failed", None), "too old": ("failed", None),
    "listed complaint": ("failed", "complained"), "listed unsubscribed": ("failed", "unsubscribed"),
    "complaint": ("sent", "complained"), "unsubscribed": ("sent", "unsubscribed"),
    "deferred": ("sent", None), "delivered": ("sent", None), "opened": ("sent", None),
}  # fmt: skip
EACH = [(provider, what) for provider, told in TOLD.items() for what in told]


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.ANYMAIL = ANYMAIL


@pytest.fixture
def sent(book: Book, clock: Clock, smtp: MailServer) -> Reminder:
    """The first of the stay's two reminders, that the mail server took; the second goes six days later."""
    clock("2030-05-03 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    send_scheduled()
    return Reminder.objects.get(status="sent")


def send_scheduled() -> None:
    batch.send_due(list(Reminder.objects.filter(status="scheduled").values_list("id", flat=True)))


def payload(provider: str, what: str, data: dict[str, str]) -> Any:
    kind, more = (*TOLD[provider][what], None, None)[:2]
    return SHAPES[provider](data, *([kind] if kind else []), **(more or {}))


def timeline(reminder: Reminder) -> str:
    entries = selectors.timeline(reservation_id=reminder.reservation_id)
    with translation.override("es"):
        return render_to_string("reminders/timeline.html", {"entries": entries})


def test_every_provider_is_here() -> None:
    assert TOLD.keys() == {provider.anymail_name for provider in PROVIDERS.values()}
    must = {"hard", "deferred", "complaint", "delivered", "opened"}
    assert [provider for provider, told in TOLD.items() if not must <= told.keys()] == []


@pytest.mark.parametrize("told", EACH, ids=": ".join)
def test_what_becomes_of_the_mail_its_address_and_the_next_mail(
    sent: Reminder, hotel: Hotel, clock: Clock, smtp: MailServer, told: tuple[str, str]
) -> None:
    provider, what = told
    for _told_twice in range(2):
        assert tell(provider, payload(provider, what, metadata(sent, hotel))) == 200
    status, reason = BECOMES[what]
    sent.refresh_from_db()
    assert sent.status == status
    assert Failure.objects.count() == (status == "failed")
    assert list(Suppression.objects.values_list("email", "reason")) == ([(TO, reason)] if reason else [])
    assert (sent.opened_at is not None) == (what == "opened")
    shown = timeline(sent)
    assert ("abierto:" in shown) == (what == "opened")
    assert ("falló" in shown) == (status == "failed")
    clock("2030-05-09 12:00")
    send_scheduled()
    following = Reminder.objects.exclude(id=sent.id).get()
    expected = ("skipped", "suppressed") if reason else ("sent", "")
    assert (following.status, following.skip_reason) == expected
    assert ("lista de exclusión" in timeline(sent)) == (reason is not None)
    assert len(smtp.to(TO)) == (1 if reason else 2)


@pytest.mark.parametrize("provider", sorted(TOLD))
@pytest.mark.parametrize("secret", ["", "provider:wrong", "nobody"])
def test_nobody_else_can_tell(sent: Reminder, hotel: Hotel, provider: str, secret: str) -> None:
    # Amazon posts first without the secret, and asks for the way in which to give it.
    refused = 401 if provider == "amazon_ses" and not secret else 400
    assert tell(provider, payload(provider, "hard", metadata(sent, hotel)), secret=secret) == refused
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert not Suppression.objects.exists()


CONFIRMED = b"<ConfirmSubscriptionResponse><ConfirmSubscriptionResult/></ConfirmSubscriptionResponse>"


@pytest.fixture
def sns(settings: Any) -> Iterator[list[dict[str, list[str]]]]:
    """What Amazon's other service was asked, which says to whom it may tell of mails."""
    asked: list[dict[str, list[str]]] = []

    class Api(QuietHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_head(200, **{"Content-Length": str(len(CONFIRMED))})
            self.wfile.write(CONFIRMED)

    with serving(listening(Api)) as server:
        found = PROVIDERS["ses"].anymail_name.upper() + "_CLIENT_PARAMS"
        amazon = provider_settings(
            urlsplit(f"ses://key:secret@eu-west-1?endpoint_url=http://127.0.0.1:{server.server_port}")
        )
        settings.ANYMAIL = {**ANYMAIL, found: amazon["ANYMAIL"][found]}
        yield asked


def test_amazon_s_topic_is_confirmed_by_itself_for_who_has_the_secret(
    sns: list[dict[str, list[str]]], db: None
) -> None:
    assert tell("amazon_ses", amazon_subscribes(), secret="provider:wrong") == 400
    assert sns == []
    assert tell("amazon_ses", amazon_subscribes()) == 200
    [asked] = sns
    told = amazon_subscribes()
    assert asked["Action"] == ["ConfirmSubscription"]
    assert (asked["TopicArn"], asked["Token"]) == ([told["TopicArn"]], [told["Token"]])


@pytest.mark.parametrize("provider", sorted(TOLD))
def test_what_is_told_late_of_an_address_since_corrected_is_not_the_new_ones(
    sent: Reminder, hotel: Hotel, book: Book, smtp: MailServer, provider: str
) -> None:
    bounce = payload(provider, "hard", metadata(sent, hotel))
    assert tell(provider, bounce) == 200
    book("R1", "2030-05-10", "2030-05-12", guest_email="right@bücher.example")
    retry_failed(Failure.objects.get())
    assert tell(provider, bounce) == 200
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert list(Suppression.objects.values_list("email", flat=True)) == [TO]


@pytest.mark.parametrize("told_as", ["R1@Example.com", "Ana <r1@example.com>"])
def test_an_address_is_known_however_it_is_written(sent: Reminder, hotel: Hotel, told_as: str) -> None:
    assert tell("resend", SHAPES["resend"](metadata(sent, hotel), to=[told_as])) == 200
    assert Suppression.objects.get().email == TO


@pytest.mark.parametrize(
    "told_as", ["somebody@else.example", "x" * 70, f"a@{'x' * 70}.example", "@", "a@b@c"]
)
def test_what_is_nobody_s_address_of_ours_is_taken_note_of_and_left(
    sent: Reminder, hotel: Hotel, told_as: str
) -> None:
    bounce = payload("postmark", "hard", metadata(sent, hotel)) | {"Email": told_as}
    assert tell("postmark", bounce) == 200
    assert not Suppression.objects.exists()


def test_the_trail_and_the_list_say_in_the_reader_s_words_what_came_back(
    sent: Reminder, hotel: Hotel
) -> None:
    assert tell("postmark", payload("postmark", "hard", metadata(sent, hotel))) == 200
    sent.refresh_from_db()
    assert sent.error_message.startswith("the receiving server returned the message: smtp;550 5.1.1")
    shown = timeline(sent)
    assert "el servidor de destino devolvió el mensaje: smtp;550 5.1.1" in shown
    assert "bounced" not in shown
