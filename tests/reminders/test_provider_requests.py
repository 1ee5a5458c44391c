"""What each provider of EMAIL_URL is asked, by HTTP, and that what it tells later is found again by it."""

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
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.reminders.provider_payloads import SECRET, SHAPES, tell
from tests.web import QuietHandler, serving

pytestmark = pytest.mark.django_db
Told = Callable[[str, dict[str, str]], Any]

URLS = {
    "brevo": "brevo://key?api_url={server}",
    "mailgun": "mailgun://key?sender_domain=mg.hotels.example&webhook_signing_key=key-of-mailgun&api_url={server}",
    "postmark": "postmark://key?message_stream=guests&api_url={server}",
    "resend": "resend://key?api_url={server}",
    "ses": "ses://access:se%2Fcret@eu-west-1?configuration_set_name=hotels&endpoint_url={server}",
    "sparkpost": "sparkpost://key?subaccount=7&api_url={server}",
}

#: That the mail arrived, as each calls it.
DELIVERED = {
    "amazon_ses": "Delivery", "brevo": "delivered", "mailgun": "delivered", "postmark": "Delivery",
    "resend": "delivered", "sparkpost": "delivery",
}  # fmt: skip


class Provider(ThreadingHTTPServer):
    """Takes a mail as all of them do, or answers with `status`; keeps paths, headers and bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.answer: dict[str, Any] = {
            "id": "1", "message": "Queued.", "messageId": "1", "MessageId": "1", "MessageID": "1", "ErrorCode": 0,
            "Message": "OK", "To": "r1@example.com",
            "results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": "1"},
        }  # fmt: skip


class Request(QuietHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        answer = json.dumps(self.server.answer).encode()
        self.send_response(self.server.status)
        for name, value in self.server.answer.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def server() -> Iterator[Provider]:
    with serving(Provider()) as provider:
        yield provider


@pytest.fixture
def use(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Has the deployment send by what EMAIL_URL says."""

    def set_to(scheme: str, address: str) -> None:
        monkeypatch.setenv("EMAIL_URL", URLS[scheme].format(server=address))
        found = Environment().email("EMAIL_URL")
        settings.EMAIL_BACKEND = found["EMAIL_BACKEND"]
        settings.ANYMAIL = {**found["ANYMAIL"], "WEBHOOK_SECRET": SECRET}

    return set_to


@pytest.fixture
def due(book: Callable[..., Reservation], clock: Clock) -> Reminder:
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    return Reminder.objects.get(status="scheduled")


def address_of(server: Provider) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def parts(headers: dict[str, str], body: bytes) -> dict[str, str]:
    """The fields of a form."""
    form = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    return {
        str(part.get_param("name", header="Content-Disposition")): str(part.get_content())
        for part in form.iter_parts()
        if isinstance(part, EmailMessage)
    }


def told_with(scheme: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The metadata that the provider keeps, and the mail's own headers as it was given them."""
    if scheme == "mailgun":
        form = parts(headers, body)
        metadata = {name[2:]: value for name, value in form.items() if name.startswith("v:")}
        return metadata, {name[2:]: value for name, value in form.items() if name.startswith("h:")}
    asked = json.loads(body)
    match scheme:
        case "brevo":
            return json.loads(asked["headers"]["X-Mailin-custom"]), asked["headers"]
        case "postmark":
            return asked["Metadata"], {one["Name"]: one["Value"] for one in asked["Headers"]}
        case "resend":
            return {tag["name"]: tag["value"] for tag in asked["tags"]}, asked["headers"]
        case "sparkpost":
            return asked["metadata"], asked["content"]["headers"]
        case _:
            raw = email.message_from_bytes(base64.b64decode(asked["Content"]["Raw"]["Data"]))
            return json.loads(raw["X-Metadata"]), dict(raw.items())


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_a_mail_goes_with_what_it_is_known_by(
    due: Reminder, hotel: Hotel, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, address_of(server))
    assert batch.send_due([due.id]) == {"sent": 1}
    [(_path, headers, body)] = server.asked
    metadata, own = told_with(scheme, headers, body)
    assert metadata == {"hotel": hotel.id.hex, "reminder": due.id.hex}
    named = {name.lower(): value for name, value in own.items()}
    assert due.id.hex in named["message-id"]
    assert named["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert ("x-pm-keepid" in named) == (scheme == "postmark")


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_what_it_tells_settles_what_nobody_knew(
    due: Reminder, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, address_of(server))
    server.status = 500
    assert batch.send_due([due.id]) == {"unknown": 1}
    [(_path, headers, body)] = server.asked  # and no second try
    metadata, _own = told_with(scheme, headers, body)
    provider = PROVIDERS[scheme].anymail_name
    assert tell(provider, SHAPES[provider](metadata, DELIVERED[provider])) == 200
    due.refresh_from_db()
    assert due.status == "sent"


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_nothing_has_left_where_nobody_listens(
    due: Reminder, use: Callable[[str, str], None], scheme: str
) -> None:
    with Provider() as closed:
        address = address_of(closed)
    use(scheme, address)
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
def test_amazon_s_refusals(
    due: Reminder, server: Provider, use: Callable[[str, str], None], refusal: tuple[int, str], outcome: str
) -> None:
    use("ses", address_of(server))
    server.status, kind = refusal
    server.answer = {"message": "no", "headers": {"x-amzn-ErrorType": kind}}
    assert batch.send_due([due.id]) == {outcome: 1}
    assert len(server.asked) == 1
