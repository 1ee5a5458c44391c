"""Tests of the workers' cache of rules, templates and branding. No message is sent with outdated settings."""

import uuid
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection, transaction

from reminders.models import EmailBranding, Reminder, Reservation, Rule, Template
from reminders.sending import batch, mail_settings
from reminders.services.emails import set_colour
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Empty the cache of mail settings before and after each test."""
    mail_settings._cache.clear()
    yield
    mail_settings._cache.clear()


@pytest.fixture
def send_to(book: Book, clock: Clock, smtp: MailServer) -> Callable[[str], EmailMessage | None]:
    """Return a function that books a stay for the next day, sends the reminder, and returns the message or None.

    Example: send_to("R1").
    """
    clock("2030-05-09 12:00")

    def send(number: str) -> EmailMessage | None:
        reservation = book(number, "2030-05-10", "2030-05-12", language="es")
        batch.send_due([reminder.id for reminder in Reminder.objects.filter(reservation=reservation)])
        return next(iter(smtp.to(f"{number.lower()}@example.com")), None)

    return send


def html_of(message: EmailMessage | None) -> str:
    part = message.get_body(["html"]) if message else None
    assert part is not None
    return str(part.get_content())


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


CHANGES: dict[str, tuple[Callable[[], object], str]] = {
    "a template is changed": (lambda: Template.objects.update(html="<p>Otra cosa</p>"), "Otra cosa"),
    "a template is changed by SQL": (
        lambda: execute("UPDATE reminders_template SET html = 'Algo más'"),
        "Algo más",
    ),
    "the Spanish templates are deleted": (
        lambda: Template.objects.filter(language="es").delete(),
        "Dear Ana Lima",
    ),
    "the default colour is changed": (lambda: set_colour(colour="#aa1100"), "#aa1100"),
    "a template is added": (
        lambda: Template.objects.create(
            rule=Rule.objects.get(offset_days=1), language="es-419", subject="x", html="Acá", text="Acá"
        ),
        "Estimado/a Ana Lima",  # the guest still gets the template "es"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_rule_template_or_branding_takes_effect_in_the_next_message(
    change: str, send_to: Callable[[str], EmailMessage | None], in_hotel: Hotel
) -> None:
    apply_change, expected = CHANGES[change]
    assert "Su habitación le espera" in html_of(send_to("R1"))
    before = mail_settings.cached()
    apply_change()
    assert expected in html_of(send_to("R2"))
    after = mail_settings.cached()
    assert before is not None
    assert after is not None
    assert after.revision != before.revision


def test_sending_after_a_rule_change_skips_reservations_that_no_longer_match(
    send_to: Callable[[str], EmailMessage | None], book: Book, clock: Clock, smtp: MailServer
) -> None:
    assert send_to("R1")
    clock("2030-05-01 12:00")
    booked_early = book("R2", "2030-05-10", "2030-05-12")
    Rule.objects.update(room_types=["Suite"])  # without planning the reminders again
    clock("2030-05-09 12:00")
    scheduled = Reminder.objects.filter(reservation=booked_early, status="scheduled")
    batch.send_due([reminder.id for reminder in scheduled])
    assert smtp.to("r2@example.com") == []
    statuses = Reminder.objects.filter(reservation=booked_early).values_list("status", flat=True)
    assert set(statuses) == {"skipped"}


def test_rolled_back_change_of_mail_settings_does_not_invalidate_the_cache(
    send_to: Callable[[str], EmailMessage | None],
) -> None:
    send_to("R1")
    before = mail_settings.cached()
    with transaction.atomic():
        Template.objects.update(html="<p>Otra cosa</p>")
        transaction.set_rollback(True)
    assert "Su habitación le espera" in html_of(send_to("R2"))
    assert mail_settings.cached() is before


def test_new_reservation_and_sent_message_do_not_invalidate_the_cached_mail_settings(
    send_to: Callable[[str], EmailMessage | None], in_hotel: Hotel
) -> None:
    send_to("R1")
    before = mail_settings.cached()
    send_to("R2")
    assert mail_settings.cached() is before


def test_mail_settings_are_cached_per_hotel(
    send_to: Callable[[str], EmailMessage | None], in_hotel: Hotel, other_hotel: Hotel
) -> None:
    send_to("R1")
    before = mail_settings.cached()
    assert before is not None
    with hotel_context(other_hotel):
        assert mail_settings.cached() is None
        Template.objects.update(html="<p>Los otros</p>")
    assert "Los otros" not in html_of(send_to("R2"))
    assert mail_settings.cached() is before


@pytest.mark.parametrize("model", [Rule, Template, EmailBranding])
def test_column_revision_changes_if_a_rule_or_a_template_or_the_branding_changes(
    in_hotel: Hotel, model: Any
) -> None:
    set_colour(colour="#1f4e5f")  # creates the row of the branding
    column = {Rule: "name", Template: "text", EmailBranding: "colour"}[model]
    row = model.objects.first()
    first_revision, first_value = row.revision, getattr(row, column)
    model.objects.filter(pk=row.pk).update(**{column: "#123456"})
    assert model.objects.get(pk=row.pk).revision != first_revision
    model.objects.filter(pk=row.pk).update(**{column: first_value})
    assert model.objects.get(pk=row.pk).revision == first_revision


def test_full_cache_of_mail_settings_removes_the_hotel_that_was_cached_first(
    monkeypatch: pytest.MonkeyPatch, in_hotel: Hotel
) -> None:
    monkeypatch.setattr(mail_settings, "MAX_CACHED_HOTELS", 2)
    result: dict[str, Any] = {
        "revision": str(uuid.uuid4()), "rules": None, "templates": None,
        "branding": {"id": 1, "colour": "#000000", "logo_type": "", "logo_width": 0, "logo_height": 0,
                     "logo_digest": ""},
    }  # fmt: skip
    hotels = [Hotel(slug=f"h{n}", name="H", schema=f"hotel_h{n}") for n in range(3)]
    for hotel in hotels:
        with hotel_context(hotel):
            mail_settings.store(result)
    is_cached = []
    for hotel in hotels:
        with hotel_context(hotel):
            is_cached.append(mail_settings.cached() is not None)
    assert is_cached == [False, True, True]
