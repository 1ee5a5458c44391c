"""An end-to-end test that no secret and no personal data of its requests is in the logs of any process."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from hotelagent.settings import base
from locks import selectors
from locks.models import Room
from locks.webhooks.models import WebhookDelivery
from reminders.mail import unsubscribe_links
from reminders.models import LinkedCalendar, Reminder
from tenants.context import current_tenant, hotel_context
from tenants.models import Hotel, User
from tenants.scopes import HOTEL_SCOPES, Role
from tests import servers
from tests.conftest import ALPHA_HOST
from tests.locks.receiver import Receiver
from tests.logs.http_client import HotelClient
from tests.logs.processes import read_logs, running_processes
from tests.tenants.access.accounts import code_at
from tests.web import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

#: Celery beat and the worker must complete all work that the requests caused within this number of seconds.
WORK_TIMEOUT = 60
PLANTED = "planted-in-the-logs-0123456789"
#: Values that the requests of the test send. No log line contains one of these values by chance.
GUEST = {
    "guest name": "Zoraida Íñiguez-Valdés",
    "guest address": "zoraida.iniguez@guests.example",
    "refused guest address": "quintiliano@refusing.example",
    "refused guest name": "Quintiliano Òrdenes",
    "guest phone": "+34600111222",
    "payload name": "Wenceslao Müßiggang",
    "payload card": "4111111111111111",
    "payload address": "wenceslao@guests.example",
    "reference of a hold": "Reserva de Eustaquia Peñaranda",
}
PASSWORD, WRONG_PASSWORD = "correct horse battery staple", "Contraseña-equivocada-7"
STAFF_ADDRESS = "rosa.oyarzabal@hotel.example"
URL_SECRET = "s3cr3tInTheUrlOfAHook"
CALENDAR_SECRET = "s3cr3tInTheUrlOfACalendar"


def found_in(logs: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """Return where the logs contain one of the values, literally or in an encoding that a program may log."""
    return [
        f"{what} in {name}"
        for name, log in logs.items()
        for what, value in values.items()
        if any(form in log for form in forms_of(value))
    ]


def forms_of(value: str) -> set[str]:
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        base64.b64encode(value.encode()).decode().rstrip("="),
    }


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WORK_TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a server that refuses the first webhook request and every request for a calendar."""
    with serving(Receiver()) as server:
        server.responses = [500, 204]
        yield server


@pytest.fixture(autouse=True)
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.MailServer]:
    """Run a mail server that refuses one guest, with a reply that contains the guest's address."""
    with servers.mail_server() as server:
        address = GUEST["refused guest address"]
        server.refuse(address, f"550 5.1.1 <{address}> no such mailbox")
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{server.port}")
        yield server


def log_in_and_create_key(client: HotelClient) -> str:
    """Log in with a wrong and then with the correct password, and return the key that the page "API keys" shows."""
    client.submit("/admin/login/", username=GUEST["guest address"], password=WRONG_PASSWORD)
    status, _page = client.submit("/admin/login/", username="rosa", password=PASSWORD)
    assert status == 302
    _status, page = client.submit(
        "/admin/tenants/apikey/add/", name="engine", scopes=sorted(HOTEL_SCOPES), lifetime="30"
    )
    [key] = set(re.findall(r"ha_[a-z0-9]{10}_[\w-]+", page))
    return str(key)


def set_up_second_factor(client: HotelClient) -> dict[str, str]:
    """Turn on two-factor authentication for the logged-in user. Return the secrets that the pages show."""
    _status, page = client.request("GET", "/admin/account/two-factor/")
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert found, page
    secret = found[1].replace(" ", "")
    code = code_at(secret=base64.b32decode(secret))
    _status, page = client.submit("/admin/account/two-factor/", code=code)
    codes = re.findall(r"<li>([a-z2-9-]{14})</li>", page)
    return {
        "secret of the app": secret,
        "secret of the app in groups": found[1],
        **{f"recovery code {number}": code for number, code in enumerate(codes, start=1)},
    }


def request_password_link(client: HotelClient, mail_server: servers.MailServer) -> dict[str, str]:
    """Request a link to set a new password, and open the link that the worker sends. Return the token of the link."""
    status, _page = client.submit("/admin/password-reset/", name=STAFF_ADDRESS)
    assert status == 302
    wait_until(lambda: bool(links_to(mail_server)), "The worker has not sent the link.")
    [path] = links_to(mail_server)
    status, _page = client.request("GET", path)
    assert status == 302
    return {"token of a password link": path.rpartition("token=")[2]}


def links_to(mail_server: servers.MailServer) -> list[str]:
    """Return the paths of the password links that the member of staff has received."""
    bodies = [message.get_body(("plain",)) for message in mail_server.to(STAFF_ADDRESS)]
    texts = [body.get_content() for body in bodies if body is not None]
    return [path for text in texts for path in re.findall(r"http://[^/\s]+(/\S+token=\S+)", text)]


def book(client: HotelClient, key: str, nights: dict[str, str]) -> dict[str, str]:
    """Hold a room, try a wrong token, and store two reservations. Return the secrets in the responses."""
    reference = GUEST["reference of a hold"]
    status, hold = client.call(
        "POST",
        "locks/",
        key,
        {"room_type": "Double", **nights, "reference": reference},
        **{"Idempotency-Key": PLANTED},
    )
    assert status == 201, hold
    status, _problem = client.call(
        "POST", f"locks/{hold['id']}/release/", key, {"token": f"x{hold['token']}"}
    )
    assert status == 403
    status, _hold = client.call("POST", f"locks/{hold['id']}/extend/", key, {"token": hold["token"]})
    assert status == 200
    for number, name, address in (
        ("B-1", GUEST["guest name"], GUEST["guest address"]),
        ("B-2", GUEST["refused guest name"], GUEST["refused guest address"]),
    ):
        status, problem = client.call(
            "PUT", f"reservations/by-external-id/{number}/", key,
            {"arrival": nights["check_in"], "departure": nights["check_out"], "guest_name": name,
             "guest_email": address, "guest_phone": GUEST["guest phone"]},
        )  # fmt: skip
        assert status == 201, problem
    status, _problem = client.call(
        "PUT", "reservations/by-external-id/B-3/", key, {"guest_email": GUEST["guest name"]}
    )
    assert status == 400
    return {"owner token of a hold": hold["token"]}


def connect_systems(client: HotelClient, key: str, receiver: Receiver, room: int) -> dict[str, str]:
    """Create a webhook and a linked calendar whose URLs contain secrets, and report a failure with a guest's data."""
    status, hook = client.call(
        "POST", "webhooks/", key,
        {"url": f"{receiver.address}/hooks?token={URL_SECRET}", "events": ["hold.created"]},
    )  # fmt: skip
    assert status == 201, hook
    status, calendar = client.call(
        "POST", "calendars/", key,
        {"room": room, "name": "channel", "url": f"{receiver.address}/{CALENDAR_SECRET}.ics?s={CALENDAR_SECRET}"},
    )  # fmt: skip
    assert status == 201, calendar
    payload = {
        "guest": GUEST["payload name"], "card": GUEST["payload card"], "email": GUEST["payload address"],
    }  # fmt: skip
    report = {
        "name": "booking.created", "payload": payload, "error_type": "Timeout",
        "error_message": f"no answer for {GUEST['payload name']} <{GUEST['payload address']}>",
    }  # fmt: skip
    status, failure = client.call("POST", "dlq/entries/", key, report)
    assert status == 201, failure
    return {"secret of a webhook": hook["secret"]}


def read_pages(client: HotelClient, key: str) -> None:
    """Open pages and API resources with personal data and secrets in their URLs."""
    name = quote(GUEST["guest name"])
    for path in (
        f"/admin/reminders/reservation/?q={name}",
        f"/admin/audit/event/?text={name}",
        f"/api/v1/reservations.ics?key={key}",
        f"/missing/?email={GUEST['guest address']}",
    ):
        client.request("GET", path)
    client.call("GET", f"reservations/?search={name}", key)
    client.call("GET", "reservations/", f"{key}x")


def test_logs_of_all_processes_contain_no_secret_and_no_personal_data(
    hotel: Hotel,
    receiver: Receiver,
    mail_server: servers.MailServer,
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS  # the web server process uses these hashers too
    secrets: dict[str, str] = {
        **GUEST, "password": PASSWORD, "wrong password": WRONG_PASSWORD, "secret in a webhook's URL": URL_SECRET,
        "secret in a calendar's URL": CALENDAR_SECRET, "address of a member of staff": STAFF_ADDRESS,
    }  # fmt: skip
    with hotel_context(hotel):
        User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER, email=STAFF_ADDRESS)
        room = Room.objects.create(number="101", room_type="Double")
        today = selectors.today()
    with running_processes(tmp_path) as port:
        client = HotelClient(ALPHA_HOST, port)
        key = log_in_and_create_key(client)
        secrets["API key"] = key
        secrets |= set_up_second_factor(client)
        secrets |= request_password_link(HotelClient(ALPHA_HOST, port), mail_server)
        nights = {"check_in": today.isoformat(), "check_out": today.replace(year=today.year + 1).isoformat()}
        secrets |= connect_systems(client, key, receiver, room.pk)
        secrets |= book(client, key, nights)
        read_pages(client, key)
        with hotel_context(hotel):
            [reminder] = Reminder.objects.filter(reservation__external_id="B-1")[:1]
            link = unsubscribe_links.url(reminder.pk, hotel=current_tenant(), base_url="")
        secrets["token of an unsubscribe link"] = link.strip("/").rpartition("/")[2]
        client.request("GET", link, **{"X-Request-ID": PLANTED})
        secrets |= client.secrets

        wait_until(lambda: work_is_done(hotel), "The worker has not done the work.")
    logs = read_logs(tmp_path)
    assert found_in(logs, secrets) == []
    check_logs_were_read(logs)


def work_is_done(hotel: Hotel) -> bool:
    """Return whether the worker has sent an e-mail, and an e-mail, a webhook and a calendar have failed."""
    with hotel_context(hotel):
        return (
            {"sent", "failed"} <= set(Reminder.objects.values_list("status", flat=True))
            and WebhookDelivery.objects.filter(attempts__gt=0).exists()
            and LinkedCalendar.objects.filter(consecutive_failures__gt=0).exists()
        )


def check_logs_were_read(logs: Mapping[str, str]) -> None:
    """Fail if the test could not have found a secret, because a log is incomplete or the search does not work."""
    planted = {"planted request id": PLANTED}
    assert found_in(logs, planted) == ["planted request id in log"]
    assert "GET /unsubscribe/" in logs["log"]
    for task in (
        "reminders.tasks.send_due",
        "reminders.tasks.sync_calendars",
        "locks.tasks.send_webhook_deliveries",
    ):
        assert f"Task {task}" in logs["worker.log"]
    assert "tenants.tasks.tick" in logs["beat.log"]


@pytest.mark.parametrize("what", GUEST)
def test_search_finds_a_value_in_the_encodings_of_urls_and_json(what: str) -> None:
    value = GUEST[what]
    for written in (value, f"/?q={quote_plus(value)}", json.dumps({"name": value})):
        assert found_in({"log": f"event {written} hotel=alpha"}, {what: value}) == [f"{what} in log"]
    assert found_in({"log": "event hotel=alpha"}, {what: value}) == []
