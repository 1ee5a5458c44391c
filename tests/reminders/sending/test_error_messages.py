"""Tests of reminder errors, which are stored in a translatable form and shown in the user's language."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from rest_framework.test import APIClient

from dlq.models import Failure
from hotelagent.core.messages import MAX_LENGTH
from reminders.models import Reminder, Reservation, Template
from reminders.sending import batch, claims
from reminders.sending.retries import retry_failed
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]
ADMIN = "/admin/reminders"


@pytest.fixture
def reminder(book: Book) -> Reminder:
    """Return a reminder that is due now.

    The clock is not simulated, because the login session of the test expires by the real clock.
    """
    now = timezone.now()
    booked = book("R1", f"{now.date() + timedelta(days=9)}", f"{now.date() + timedelta(days=11)}")
    due = booked.reminders.earliest("planned_for")
    window = {"planned_for": now - timedelta(hours=1), "send_until": now + timedelta(hours=1)}
    Reminder.objects.filter(id=due.id).update(**window)
    return due


def send(reminder: Reminder) -> Reminder:
    batch.send_due([reminder.id])
    reminder.refresh_from_db()
    return reminder


def no_address(reminder: Reminder, *_: Any) -> None:
    Reservation.objects.filter(id=reminder.reservation_id).update(guest_email="ana")


def no_template(*_: Any) -> None:
    Template.objects.all().delete()


def too_large(reminder: Reminder, *_: Any) -> None:
    Reservation.objects.filter(id=reminder.reservation_id).update(guest_name="ten chars.")
    source = "{% for x in guest_name %}" + "é" * 20_000 + "{% endfor %}"
    Template.objects.update(text=source, html=source)


def server_unavailable(_reminder: Reminder, _smtp: MailServer, settings: Any) -> None:
    settings.EMAIL_PORT = 1


def too_late(reminder: Reminder, smtp: MailServer, settings: Any) -> None:
    server_unavailable(reminder, smtp, settings)
    send(reminder)
    Reminder.objects.filter(id=reminder.id).update(send_until=timezone.now() - timedelta(minutes=1))


def disconnected(_reminder: Reminder, smtp: MailServer, _settings: Any) -> None:
    smtp.drop()


def worker_lost(reminder: Reminder, *_: Any) -> None:
    past = timezone.now() - 2 * claims.CLAIM_TIMEOUT
    Reminder.objects.filter(id=reminder.id).update(
        status="sending", claimed_at=past, transmission_started_at=past
    )


def refused(_reminder: Reminder, smtp: MailServer, _settings: Any) -> None:
    smtp.refuse("r1@example.com", "550 5.1.1 <r1@example.com> no such {user}")


CASES = [
    (
        no_address,
        "The e-mail address of the reservation is not valid",
        "La dirección de correo de la reserva no es válida",
    ),
    (
        no_template,
        "The rule 7 days before arrival has no template. Add a template to the rule,",
        "La regla 7 días antes de la llegada no tiene plantilla. Añada una plantilla a la regla y",
    ),
    (too_large, "kB with its attachment (limit: 500 kB)", "kB con su adjunto (límite: 500 kB)"),
    (
        server_unavailable,
        "The mail server can't be reached: [Err",
        "No se puede conectar con el servidor de correo: [Err",
    ),
    (
        too_late,
        "The send window has ended. Last error: The mail server can't be reached: [Err",
        "El plazo de envío ha terminado. Último error: No se puede conectar con el servidor de correo: [Err",
    ),
    (disconnected, "was lost after the transmission had started: Conn", "después de iniciar la transmisión: Conn"),
    (worker_lost, "The worker stopped unexpectedly.", "El proceso de envío se detuvo inesperadamente."),
    (refused, "550 5.1.1 <r1@example.com> no such {user}", "550 5.1.1 <r1@example.com> no such {user}"),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=[case[0].__name__ for case in CASES])
def error_texts(
    request: pytest.FixtureRequest, reminder: Reminder, smtp: MailServer, settings: Any
) -> dict[str, str]:
    """Cause an error while the reminder is sent.

    Return a dict from language codes to the expected error texts.
    """
    cause_error, english, spanish = request.param
    cause_error(reminder, smtp, settings)
    send(reminder)
    return {"en": english, "es": spanish}


def test_error_of_a_reminder_is_shown_in_the_language_of_the_user(
    reminder: Reminder, error_texts: dict[str, str], staff: Client, api: APIClient
) -> None:
    for language, text in error_texts.items():
        reader = {"Accept-Language": language}
        for page in (f"reminder/{reminder.id}", f"reservation/{reminder.reservation_id}"):
            shown = staff.get(f"{ADMIN}/{page}/change/", headers=reader).content.decode()
            assert text in html.unescape(shown), page
        assert text in html.unescape(staff.get(f"{ADMIN}/reminder/", headers=reader).content.decode())
        for page in (f"reminders/{reminder.id}", f"reservations/{reminder.reservation_id}/reminders"):
            body = api.get(f"/api/v1/{page}/", headers=reader).json()
            shown = body[0] if isinstance(body, list) else body
            assert text in shown["last_error"], page


def test_reminder_claimed_by_a_second_worker_shows_that_the_first_worker_stopped(
    reminder: Reminder,
) -> None:
    Reminder.objects.filter(id=reminder.id).update(
        status="sending", claimed_at=timezone.now() - 2 * claims.CLAIM_TIMEOUT
    )
    claimed = claims.claim_due([reminder.id], now=timezone.now())
    assert claimed is not None
    with translation.override("es"):
        assert claimed.reminders[0].error_message == "El proceso de envío se detuvo inesperadamente."


def test_successful_retry_removes_the_error_of_the_reminder(reminder: Reminder, smtp: MailServer) -> None:
    smtp.refuse("r1@example.com", times=1)
    assert send(reminder).error_message.startswith("550")
    retry_failed(Failure.objects.get())
    reminder.refresh_from_db()
    assert (reminder.status, reminder.last_error, reminder.error_message) == ("sent", None, "")
    with connection.cursor() as cursor:  # the column must be NULL, not the JSON value null
        cursor.execute("SELECT last_error IS NULL FROM reminders_reminder WHERE id = %s", [reminder.id])
        assert cursor.fetchone() == (True,)


def test_server_reply_is_stored_without_characters_that_postgresql_jsonb_rejects(
    reminder: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", "550 no\0body " + "x" * 900)
    failed = send(reminder)
    assert failed.status == "failed"
    assert failed.error_message.startswith("550 no\N{REPLACEMENT CHARACTER}body xx")
    assert len(failed.error_message) == MAX_LENGTH
