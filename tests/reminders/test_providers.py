"""A provider with an HTTP API gets a key by which it knows a mail that it was given before."""

import json
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from reminders.models import Reminder, Reservation
from reminders.sending import batch
from reminders.services.reminders import send_now, settle_unknown
from tests.reminders.conftest import Clock
from tests.web import QuietHandler, serving

pytestmark = pytest.mark.django_db


class Provider(ThreadingHTTPServer):
    """Answers as it is told and keeps what it was asked: headers and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []


class Request(QuietHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((dict(self.headers), body))
        answer = b'{"id": "1", "messageId": "1"}'
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving(Provider()) as server:
        yield server


@pytest.fixture
def due(book: Callable[..., Reservation], clock: Clock) -> list[Reminder]:
    clock("2030-05-09 12:00")
    for number in ("R1", "R2"):
        book(number, "2030-05-10", "2030-05-12")
    return list(Reminder.objects.filter(status="scheduled"))


def use(settings: Any, provider: Provider, name: str) -> None:
    settings.EMAIL_BACKEND = f"anymail.backends.{name.lower()}.EmailBackend"
    address = f"http://127.0.0.1:{provider.server_port}/"
    settings.ANYMAIL = {f"{name.upper()}_API_KEY": "x", f"{name.upper()}_API_URL": address}


def keys(provider: Provider, name: str) -> list[str]:
    if name == "Brevo":
        return [body["headers"]["idempotencyKey"] for _headers, body in provider.asked]
    return [headers["Idempotency-Key"] for headers, _body in provider.asked]


@pytest.mark.parametrize("name", ["Resend", "Brevo"])
def test_each_mail_has_a_key_that_it_keeps(
    due: list[Reminder], provider: Provider, settings: Any, name: str
) -> None:
    use(settings, provider, name)
    provider.statuses = [500, 200]  # an answer that says nothing certain
    assert batch.send_due([one.id for one in due]) == {"unknown": 1, "sent": 1}
    lost = Reminder.objects.get(status="unknown")
    settle_unknown(reminder_id=lost.id, was_sent=False)
    send_now(reminder_id=lost.id)
    assert batch.send_due([lost.id])["sent"] == 1
    first, second, again = keys(provider, name)
    assert first == again
    assert first != second
    assert len(first) == 64
