"""A worker keeps what all of a hotel's mails share, and no mail ever goes with what it no longer is."""

import uuid
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection, transaction

from reminders.models import EmailBranding, Reminder, Reservation, Rule, Template
from reminders.sending import delivery, mail_settings_cache
from reminders.services.branding import set_colour
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """As a worker that has just begun; and what a rolled back test leaves is no other test's."""
    mail_settings_cache._kept.clear()
    yield
    mail_settings_cache._kept.clear()


@pytest.fixture
def mail(book: Book, clock: Clock, smtp: MailServer) -> Callable[[str], EmailMessage | None]:
    """mail("R1"): what a guest is sent who books the day before. None: nothing."""
    clock("2030-05-09 12:00")

    def send(number: str) -> EmailMessage | None:
        reservation = book(number, "2030-05-10", "2030-05-12", language="es")
        delivery.send_due([one.id for one in Reminder.objects.filter(reservation=reservation)])
        return next(iter(smtp.to(f"{number.lower()}@example.com")), None)

    return send


def body(mail: EmailMessage | None) -> str:
    part = mail.get_body(["html"]) if mail else None
    assert part is not None
    return str(part.get_content())


def statement(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


CHANGES: dict[str, tuple[Callable[[], object], str]] = {
    "a template's text": (lambda: Template.objects.update(html="<p>Otra cosa</p>"), "Otra cosa"),
    "by any statement": (lambda: statement("UPDATE reminders_template SET html = 'Algo más'"), "Algo más"),
    "no template in Spanish": (lambda: Template.objects.filter(language="es").delete(), "Dear Ana Lima"),
    "a colour": (lambda: set_colour(colour="#aa1100"), "#aa1100"),
    "a template more": (
        lambda: Template.objects.create(
            rule=Rule.objects.get(offset_days=1), language="es-419", subject="x", html="Acá", text="Acá"
        ),
        "Estimado/a Ana Lima",  # "es" is still what was asked for
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_mail_has_what_was_changed(
    change: str, mail: Callable[[str], EmailMessage | None], in_hotel: Hotel
) -> None:
    make, expected = CHANGES[change]
    before, first = EmailBranding.objects.get().revision, body(mail("R1"))
    assert "Su habitación le espera" in first
    kept = mail_settings_cache.kept()
    assert kept is not None
    assert kept.revision == str(before)
    make()
    assert EmailBranding.objects.get().revision != before
    assert expected in body(mail("R2"))


def test_a_rule_that_no_longer_wants_the_guest_counts_at_once(
    mail: Callable[[str], EmailMessage | None], book: Book, clock: Clock, smtp: MailServer
) -> None:
    assert mail("R1")
    clock("2030-05-01 12:00")
    late = book("R2", "2030-05-10", "2030-05-12")
    Rule.objects.update(room_types=["Suite"])  # not by the service, which would plan anew
    clock("2030-05-09 12:00")
    delivery.send_due([one.id for one in Reminder.objects.filter(reservation=late, status="scheduled")])
    assert smtp.to("r2@example.com") == []
    assert set(Reminder.objects.filter(reservation=late).values_list("status", flat=True)) == {"skipped"}


def test_what_is_taken_back_leaves_what_is_kept_as_it_was(
    mail: Callable[[str], EmailMessage | None],
) -> None:
    first = body(mail("R1"))
    before = mail_settings_cache.kept()
    with transaction.atomic():
        Template.objects.update(html="<p>Otra cosa</p>")
        transaction.set_rollback(True)
    assert body(mail("R2")).replace("R2", "R1").count("Su habitación") == first.count("Su habitación") == 1
    assert mail_settings_cache.kept() is before


def test_bookings_and_mails_change_no_revision(
    mail: Callable[[str], EmailMessage | None], in_hotel: Hotel
) -> None:
    before = EmailBranding.objects.get().revision
    mail("R1")
    assert EmailBranding.objects.get().revision == before


def test_each_hotel_has_its_own(
    mail: Callable[[str], EmailMessage | None], in_hotel: Hotel, other_hotel: Hotel
) -> None:
    mail("R1")
    mine = mail_settings_cache.kept()
    assert mine is not None
    with hotel_context(other_hotel):
        assert mail_settings_cache.kept() is None
        Template.objects.update(html="<p>Los otros</p>")
    assert "Los otros" not in body(mail("R2"))
    assert mail_settings_cache.kept() is mine


def test_it_is_asked_for_only_where_it_is_another(
    mail: Callable[[str], EmailMessage | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    keep = mail_settings_cache.keep

    def count(found: Any) -> mail_settings_cache.Shared:
        read.append(found["revision"])
        return keep(found)

    monkeypatch.setattr(mail_settings_cache, "keep", count)
    for number in ("R1", "R2", "R3"):
        mail(number)
    assert len(read) == 1
    Template.objects.update(subject="Otra")
    mail("R4")
    assert len(set(read)) == len(read) == 2


def test_the_one_read_first_makes_room(monkeypatch: pytest.MonkeyPatch, in_hotel: Hotel) -> None:
    monkeypatch.setattr(mail_settings_cache, "MOST_KEPT", 2)
    found: dict[str, Any] = {
        "revision": str(uuid.uuid4()), "rules": [], "templates": None,
        "branding": {"id": 1, "colour": "#000000", "logo_type": "", "logo_width": 0, "logo_height": 0,
                     "logo_digest": ""},
    }  # fmt: skip
    hotels = [Hotel(slug=f"h{n}", name="H", schema=f"hotel_h{n}") for n in range(3)]
    for hotel in hotels:
        with hotel_context(hotel):
            mail_settings_cache.keep(found)
    kept = []
    for hotel in hotels:
        with hotel_context(hotel):
            kept.append(mail_settings_cache.kept() is not None)
    assert kept == [False, True, True]
