"""What went wrong with a mail is kept in no language and said in the reader's, wherever it is shown."""

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
def due_one(book: Book) -> Reminder:
    """Due now, by the real clock: the browser's session lives by it."""
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
    Template.objects.update(html="{% for x in guest_name %}" + "x" * 60_000 + "{% endfor %}")


def server_away(_reminder: Reminder, _smtp: MailServer, settings: Any) -> None:
    settings.EMAIL_PORT = 1


def too_late(reminder: Reminder, smtp: MailServer, settings: Any) -> None:
    server_away(reminder, smtp, settings)
    send(reminder)
    Reminder.objects.filter(id=reminder.id).update(send_until=timezone.now() - timedelta(minutes=1))


def hung_up(_reminder: Reminder, smtp: MailServer, _settings: Any) -> None:
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
        "The rule 7 days before arrival has no template.",
        "La regla 7 días antes de la llegada no tiene plantilla.",
    ),
    (too_large, "kB with its attachment (limit: 500 kB)", "kB con su adjunto (límite: 500 kB)"),
    (server_away, "The mail server can't be reached: [Err", "No se puede conectar con el servidor de correo: [Err"),
    (
        too_late,
        "The send window has ended. Last error: The mail server can't be reached: [Err",
        "El plazo de envío ha terminado. Último error: No se puede conectar con el servidor de correo: [Err",
    ),
    (hung_up, "was lost after the transmission had started: Conn", "después de iniciar la transmisión: Conn"),
    (worker_lost, "The worker stopped unexpectedly.", "El proceso de envío se detuvo inesperadamente."),
    (refused, "550 5.1.1 <r1@example.com> no such {user}", "550 5.1.1 <r1@example.com> no such {user}"),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=[case[0].__name__ for case in CASES])
def in_words(
    request: pytest.FixtureRequest, due_one: Reminder, smtp: MailServer, settings: Any
) -> dict[str, str]:
    """What went wrong with the one that is due, by the reader's language."""
    arrange, english, spanish = request.param
    arrange(due_one, smtp, settings)
    send(due_one)
    return {"en": english, "es": spanish}


def test_each_reader_is_told_in_their_own_language(
    due_one: Reminder, in_words: dict[str, str], staff: Client, api: APIClient
) -> None:
    for language, text in in_words.items():
        reader = {"Accept-Language": language}
        for page in (f"reminder/{due_one.id}", f"reservation/{due_one.reservation_id}"):
            shown = staff.get(f"{ADMIN}/{page}/change/", headers=reader).content.decode()
            assert text in html.unescape(shown), page
        assert text in html.unescape(staff.get(f"{ADMIN}/reminder/", headers=reader).content.decode())
        for page in (f"reminders/{due_one.id}", f"reservations/{due_one.reservation_id}/reminders"):
            told = api.get(f"/api/v1/{page}/", headers=reader).json()
            assert text in (told[0] if isinstance(told, list) else told)["last_error"], page


def test_a_worker_lost_before_the_mail_left_is_told_while_it_is_sent_again(due_one: Reminder) -> None:
    Reminder.objects.filter(id=due_one.id).update(
        status="sending", claimed_at=timezone.now() - 2 * claims.CLAIM_TIMEOUT
    )
    claimed = claims.claim_due([due_one.id], now=timezone.now())
    assert claimed is not None
    with translation.override("es"):
        assert claimed.reminders[0].error_message == "El proceso de envío se detuvo inesperadamente."


def test_a_mail_that_went_leaves_nothing_of_what_went_wrong(due_one: Reminder, smtp: MailServer) -> None:
    smtp.refuse("r1@example.com", times=1)
    assert send(due_one).error_message.startswith("550")
    retry_failed(Failure.objects.get())
    due_one.refresh_from_db()
    assert (due_one.status, due_one.last_error, due_one.error_message) == ("sent", None, "")
    with connection.cursor() as cursor:  # NULL, and not JSON's null
        cursor.execute("SELECT last_error IS NULL FROM reminders_reminder WHERE id = %s", [due_one.id])
        assert cursor.fetchone() == (True,)


def test_what_the_database_can_not_hold_of_an_answer_does_not_keep_it_from_being_told(
    due_one: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", "550 no\0body " + "x" * 900)
    told = send(due_one)
    assert told.status == "failed"
    assert told.error_message.startswith("550 no\N{REPLACEMENT CHARACTER}body xx")
    assert len(told.error_message) == MAX_LENGTH
