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
from django.test import Client

from hotelagent.settings.environment import Environment
from reminders import delivery
from reminders.models import Reminder, Reservation, Suppression
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.web import Quiet, serving

pytestmark = pytest.mark.django_db
SECRET = "provider:a-password-of-some-length"
Told = Callable[[str, dict[str, str]], Any]

URLS = {
    "brevo": "brevo://key?api_url={server}",
    "mailgun": "mailgun://key?sender_domain=mg.hotels.example&webhook_signing_key=x&api_url={server}",
    "postmark": "postmark://key?message_stream=guests&api_url={server}",
    "resend": "resend://key?api_url={server}",
    "ses": "ses://access:se%2Fcret@eu-west-1?configuration_set_name=hotels&endpoint_url={server}",
    "sparkpost": "sparkpost://key?subaccount=7&api_url={server}",
}


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


class Request(Quiet):
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
        found = Environment().mail("EMAIL_URL")
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
            return json.loads(asked["headers"]["X-Metadata"]), asked["headers"]
        case "sparkpost":
            return asked["metadata"], asked["content"]["headers"]
        case _:
            raw = email.message_from_bytes(base64.b64decode(asked["Content"]["Raw"]["Data"]))
            return json.loads(raw["X-Metadata"]), dict(raw.items())


def delivered(scheme: str, data: dict[str, str]) -> Any:
    """That the mail arrived, as each posts it."""
    moment = "2030-05-09T12:01:00Z"
    match scheme:
        case "postmark":
            return {"RecordType": "Delivery", "MessageID": "1", "Recipient": "r1@example.com", "Tag": "",
                    "DeliveredAt": moment, "Details": "250 OK", "Metadata": data}  # fmt: skip
        case "brevo":
            return {"event": "delivered", "email": "r1@example.com", "id": 1, "ts_epoch": 1904558460000,
                    "message-id": "<1@brevo>", "X-Mailin-custom": json.dumps(data)}  # fmt: skip
        case "resend":
            kept = [{"name": "X-Metadata", "value": json.dumps(data)}]
            return {"type": "email.delivered", "created_at": moment,
                    "data": {"email_id": "1", "to": ["r1@example.com"], "headers": kept}}  # fmt: skip
        case "sparkpost":
            return [{"msys": {"message_event": {"type": "delivery", "event_id": "1", "timestamp": "1904558460",
                    "rcpt_to": "r1@example.com", "rcpt_meta": data, "transmission_id": "1"}}}]  # fmt: skip
        case _:
            return amazon(
                "Delivery", data, {"delivery": {"timestamp": moment, "recipients": ["r1@example.com"]}}
            )


def amazon(kind: str, data: dict[str, str], more: dict[str, Any]) -> dict[str, Any]:
    mail = {"messageId": "1", "destination": ["r1@example.com"],
            "headers": [{"name": "X-Metadata", "value": json.dumps(data)}]}  # fmt: skip
    return {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:hotels",
            "Message": json.dumps({"eventType": kind, "mail": mail, **more})}  # fmt: skip


def tell(provider: str, payload: Any) -> int:
    basic = base64.b64encode(SECRET.encode()).decode()
    sns = {"X-Amz-Sns-Message-Type": "Notification", "X-Amz-Sns-Message-Id": "1"}
    answer = Client(SERVER_NAME="localhost", enforce_csrf_checks=True).post(
        f"/anymail/{provider}/tracking/", json.dumps(payload), content_type="application/json",
        headers={"Authorization": f"Basic {basic}", **(sns if provider == "amazon_ses" else {})},
    )  # fmt: skip
    return answer.status_code


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_a_mail_goes_with_what_it_is_known_by(
    due: Reminder, hotel: Hotel, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, address_of(server))
    assert delivery.send_due([due.id]) == {"sent": 1}
    [(_path, headers, body)] = server.asked
    metadata, own = told_with(scheme, headers, body)
    assert metadata == {"hotel": hotel.id.hex, "reminder": due.id.hex}
    named = {name.lower(): value for name, value in own.items()}
    assert due.id.hex in named["message-id"]
    assert named["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert ("x-pm-keepid" in named) == (scheme == "postmark")


@pytest.mark.parametrize("scheme", sorted(URLS.keys() - {"mailgun"}))  # it signs: see test_provider_webhooks
def test_what_it_tells_settles_what_nobody_knew(
    due: Reminder, server: Provider, use: Callable[[str, str], None], scheme: str
) -> None:
    use(scheme, address_of(server))
    server.status = 500
    assert delivery.send_due([due.id]) == {"unknown": 1}
    [(_path, headers, body)] = server.asked  # and no second try
    metadata, _own = told_with(scheme, headers, body)
    assert tell("amazon_ses" if scheme == "ses" else scheme, delivered(scheme, metadata)) == 200
    due.refresh_from_db()
    assert due.status == "sent"


@pytest.mark.parametrize("scheme", sorted(URLS))
def test_nothing_has_left_where_nobody_listens(
    due: Reminder, use: Callable[[str, str], None], scheme: str
) -> None:
    with Provider() as closed:
        address = address_of(closed)
    use(scheme, address)
    assert delivery.send_due([due.id]) == {"server_away": 1}


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        ((400, "MessageRejected"), "failed"),
        ((400, "LimitExceededException"), "server_away"),
        ((400, "SendingPausedException"), "server_away"),
        ((403, "SignatureDoesNotMatchException"), "server_away"),
        ((429, "TooManyRequestsException"), "server_away"),
        ((500, "InternalFailure"), "unknown"),
    ],
)
def test_amazon_s_refusals(
    due: Reminder, server: Provider, use: Callable[[str, str], None], refusal: tuple[int, str], outcome: str
) -> None:
    use("ses", address_of(server))
    server.status, kind = refusal
    server.answer = {"message": "no", "headers": {"x-amzn-ErrorType": kind}}
    assert delivery.send_due([due.id]) == {outcome: 1}
    assert len(server.asked) == 1


@pytest.mark.parametrize(("bounce_class", "suppressed"), [("10", True), ("22", False), ("70", False)])
def test_sparkpost_s_bounce_for_the_day_keeps_the_address(
    due: Reminder,
    server: Provider,
    use: Callable[[str, str], None],
    bounce_class: str,
    suppressed: bool,
) -> None:
    use("sparkpost", address_of(server))
    delivery.send_due([due.id])
    [(_path, headers, body)] = server.asked
    event = delivered("sparkpost", told_with("sparkpost", headers, body)[0])
    event[0]["msys"]["message_event"] |= {"type": "bounce", "bounce_class": bounce_class}
    assert tell("sparkpost", event) == 200
    due.refresh_from_db()
    assert due.status == "failed"
    assert Suppression.objects.exists() == suppressed


@pytest.mark.parametrize(("kind", "suppressed"), [("Permanent", True), ("Transient", False)])
def test_amazon_s_bounce_for_the_day_keeps_the_address(
    due: Reminder,
    server: Provider,
    use: Callable[[str, str], None],
    kind: str,
    suppressed: bool,
) -> None:
    use("ses", address_of(server))
    delivery.send_due([due.id])
    recipients = [{"emailAddress": "r1@example.com", "status": "5.0.0", "diagnosticCode": "smtp; 5 no"}]
    bounce = {"bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipients}
    [(_path, headers, body)] = server.asked
    metadata, _own = told_with("ses", headers, body)
    assert tell("amazon_ses", amazon("Bounce", metadata, {"bounce": bounce})) == 200
    due.refresh_from_db()
    assert due.status == "failed"
    assert Suppression.objects.exists() == suppressed
