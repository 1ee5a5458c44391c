"""Tests of the requests that send a message through each mail provider's API.

Each request contains metadata that identifies the reminder. The provider's events about the message contain the same
metadata.
"""

from __future__ import annotations

import base64
import email
import email.policy
import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from hotelagent.settings.environment import Environment
from hotelagent.settings.providers import PROVIDERS
from reminders.models import Reminder, Reservation
from reminders.sending import batch
from reminders.services.reminders import send_now, settle_unknown
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.reminders.providers.payloads import SECRET, SHAPES, post_event
from tests.web import QuietHandler, serving

pytestmark = pytest.mark.django_db

URLS = {
    "brevo": "brevo://key?api_url={server}",
    "mailgun": "mailgun://key?sender_domain=mg.hotels.example&webhook_signing_key=key-of-mailgun&api_url={server}",
    "postmark": "postmark://key?message_stream=guests&api_url={server}",
    "resend": "resend://key?api_url={server}",
    "ses": "ses://access:se%2Fcret@eu-west-1?configuration_set_name=hotels&endpoint_url={server}",
    "sparkpost": "sparkpost://key?subaccount=7&api_url={server}",
}

#: The name of the event for a delivered message, by provider.
DELIVERED = {
    "amazon_ses": "Delivery", "brevo": "delivered", "mailgun": "delivered", "postmark": "Delivery",
    "resend": "delivered", "sparkpost": "delivery",
}  # fmt: skip


class Provider(ThreadingHTTPServer):
    """A server that imitates the API of a mail provider. The server accepts messages, or responds with `status`.

    `requests` contains the path, headers and body of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.response_body: dict[str, Any] = {
            "id": "1", "message": "Queued.", "messageId": "1", "MessageId": "1", "MessageID": "1", "ErrorCode": 0,
            "Message": "OK", "To": "r1@example.com",
            "results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": "1"},
        }  # fmt: skip


class Request(QuietHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        content = json.dumps(self.server.response_body).encode()
        self.send_response(self.server.status)
        for name, value in self.server.response_body.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[Provider]:
    with serving(Provider()) as provider:
        yield provider


@pytest.fixture
def use(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that selects the mail provider for a test by setting EMAIL_URL, as in a deployment.

    For example, `use("brevo", url)` selects Brevo. `url` replaces the URL of the provider's API.
    """

    def set_to(scheme: str, url: str) -> None:
        monkeypatch.setenv("EMAIL_URL", URLS[scheme].format(server=url))
        configured = Environment().email("EMAIL_URL")
        settings.EMAIL_BACKEND = configured["EMAIL_BACKEND"]
        settings.ANYMAIL = {**configured["ANYMAIL"], "WEBHOOK_SECRET": SECRET}

    return set_to


@pytest.fixture
def due(book: Callable[..., Reservation], clock: Clock) -> Reminder:
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    return Reminder.objects.get(status="scheduled")


def api_url(server: Provider) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def form_fields(headers: dict[str, str], body: bytes) -> dict[str, str]:
    """Return the fields of a multipart form as a dictionary."""
    form = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    return {
        str(part.get_param("name", header="Content-Disposition")): str(part.get_content())
        for part in form.iter_parts()
        if isinstance(part, EmailMessage)
    }


def metadata_and_headers(
    scheme: str, headers: dict[str, str], body: bytes
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the metadata and the headers of the message from the provider's request."""
    if scheme == "mailgun":
        form = form_fields(headers, body)
        metadata = {name[2:]: value for name, value in form.items() if name.startswith("v:")}
        return metadata, {name[2:]: value for name, value in form.items() if name.startswith("h:")}
    request = json.loads(body)
    match scheme:
        case "brevo":
            return json.loads(request["headers"]["X-Mailin-custom"]), request["headers"]
        case "postmark":
            return request["Metadata"], {header["Name"]: header["Value"] for header in request["Headers"]}
        case "resend":
            return {tag["name"]: tag["value"] for tag in request["tags"]}, request["headers"]
        case "sparkpost":
            return request["metadata"], request["content"]["headers"]
        case _:
            raw = email.message_from_bytes(base64.b64decode(request["Content"]["Raw"]["Data"]))
            return json.loads(raw["X-Metadata"]), dict(raw.items())


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_request_to_the_mail_provider_contains_metadata_and_headers(
    due: Reminder, hotel: Hotel, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, api_url(server))
    assert batch.send_due([due.id]) == {"sent": 1}
    [(_path, headers, body)] = server.requests
    metadata, sent_headers = metadata_and_headers(scheme, headers, body)
    assert metadata == {"hotel": hotel.id.hex, "reminder": due.id.hex}
    by_name = {name.lower(): value for name, value in sent_headers.items()}
    assert due.id.hex in by_name["message-id"]
    assert by_name["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert ("x-pm-keepid" in by_name) == (scheme == "postmark")


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_delivery_event_changes_a_reminder_with_an_unknown_outcome_to_sent(
    due: Reminder, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, api_url(server))
    server.status = 500
    assert batch.send_due([due.id]) == {"unknown": 1}
    [(_path, headers, body)] = server.requests  # the request was not repeated
    metadata, _sent_headers = metadata_and_headers(scheme, headers, body)
    provider = PROVIDERS[scheme].anymail_name
    assert post_event(provider, SHAPES[provider](metadata, DELIVERED[provider])) == 200
    due.refresh_from_db()
    assert due.status == "sent"


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_message_is_postponed_if_the_mail_provider_cannot_be_reached(
    due: Reminder, use: Callable[[str, str], None], scheme: str
) -> None:
    with Provider() as stopped:
        url = api_url(stopped)
    use(scheme, url)
    assert batch.send_due([due.id]) == {"server_unavailable": 1}


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        ((400, "MessageRejected"), "failed"),
        ((400, "LimitExceededException"), "server_unavailable"),
        ((400, "SendingPausedException"), "server_unavailable"),
        ((403, "SignatureDoesNotMatchException"), "server_unavailable"),
        ((429, "TooManyRequestsException"), "server_unavailable"),
        ((500, "InternalFailure"), "unknown"),
    ],
)
def test_amazon_ses_error_is_classified_by_its_error_type(
    due: Reminder, server: Provider, use: Callable[[str, str], None], refusal: tuple[int, str], outcome: str
) -> None:
    use("ses", api_url(server))
    server.status, error_type = refusal
    server.response_body = {"message": "no", "headers": {"x-amzn-ErrorType": error_type}}
    assert batch.send_due([due.id]) == {outcome: 1}
    assert len(server.requests) == 1


def idempotency_keys(scheme: str, server: Provider) -> list[str]:
    if scheme == "brevo":
        return [json.loads(body)["headers"]["idempotencyKey"] for _path, _headers, body in server.requests]
    return [headers["Idempotency-Key"] for _path, headers, _body in server.requests]


@pytest.mark.parametrize("scheme", ["brevo", "resend"])
def test_repeated_requests_for_one_reminder_have_the_same_idempotency_key(
    due: Reminder,
    book: Callable[..., Reservation],
    server: Provider,
    use: Callable[[str, str], None],
    scheme: str,
) -> None:
    use(scheme, api_url(server))
    server.status = 500  # makes the outcome of the reminder unknown
    assert batch.send_due([due.id]) == {"unknown": 1}
    server.status = 200
    settle_unknown(reminder_id=due.id, was_sent=False)
    send_now(reminder_id=due.id)
    assert batch.send_due([due.id])["sent"] == 1
    book("R2", "2030-05-10", "2030-05-12")
    other = Reminder.objects.get(status="scheduled")
    assert batch.send_due([other.id])["sent"] == 1
    first, again, of_other = idempotency_keys(scheme, server)
    assert first == again != of_other
    assert len(first) == 64
