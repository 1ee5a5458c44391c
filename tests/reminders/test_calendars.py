"""A channel manager's calendar comes in, the hotel's own goes out."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from audit.models import Event
from reminders.models import Reminder, Reservation
from reminders.reservations.services import update_guest
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.web import Quiet, listening, serving

pytestmark = pytest.mark.django_db
FEED = "/api/v1/reservations.ics"
IMPORT = "/api/v1/reservations/import-calendar/"
STAY = """UID:1418fb94e984-1@airbnb.com
DTSTART;VALUE=DATE:20300510
DTEND;VALUE=DATE:20300512
SUMMARY:Reserved"""


@pytest.fixture(autouse=True)
def _now(clock: Clock) -> None:
    clock("2030-05-01 12:00")


def calendar(*events: str, method: str = "PUBLISH") -> str:
    inner = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//A//B//EN\nMETHOD:{method}\n{inner}END:VCALENDAR\n"
    return text.replace("\n", "\r\n")


def bring(api: APIClient, *events: str, **more: Any) -> dict[str, Any]:
    answer = api.post(IMPORT, calendar(*events, **more), content_type="text/calendar")
    assert answer.status_code == 200, answer.json()
    counts: dict[str, Any] = answer.json()
    numbers = {name: value for name, value in counts.items() if isinstance(value, int)}
    assert numbers.pop("events") == sum(numbers.values()) + len(counts["rejected"])
    return counts


def only(hotel: Hotel) -> Reservation:
    with hotel_context(hotel):
        return Reservation.objects.get()


def test_an_event_is_a_reservation_with_its_mails(api: APIClient, hotel: Hotel) -> None:
    assert bring(api, STAY)["created"] == 1
    stored = only(hotel)
    assert (stored.external_id, stored.guest_name, stored.guest_email, stored.source) == (
        "1418fb94e984-1@airbnb.com", "Reserved", "", "iCalendar"
    )  # fmt: skip
    assert (f"{stored.arrival}", f"{stored.departure}") == ("2030-05-10", "2030-05-12")
    with hotel_context(hotel):
        assert Reminder.objects.filter(status="scheduled").count() == 2
    assert bring(api, STAY)["unchanged"] == 1


def test_new_days_and_a_cancellation_follow_and_the_guest_stays(api: APIClient, hotel: Hotel) -> None:
    bring(api, STAY)
    with hotel_context(hotel):
        update_guest(
            reservation_id=only(hotel).id, guest_name="Ana Lima", guest_email="ana@example.com", guest_phone="",
            language="pt",
        )  # fmt: skip
    assert bring(api, STAY.replace("20300512", "20300514"))["updated"] == 1
    assert (only(hotel).guest_name, f"{only(hotel).departure}") == ("Ana Lima", "2030-05-14")
    assert bring(api, f"{STAY}\nSTATUS:CANCELLED")["cancelled"] == 1
    assert only(hotel).status == "cancelled"
    assert bring(api, f"{STAY}\nSTATUS:CANCELLED")["unchanged"] == 1
    assert bring(api, STAY)["updated"] == 1
    assert only(hotel).status == "booked"
    assert bring(api, STAY, method="CANCEL")["cancelled"] == 1
    with hotel_context(hotel):
        assert not Reminder.objects.filter(status="scheduled").exists()


def test_a_stay_that_is_over_is_not_cancelled_by_a_calendar(api: APIClient, hotel: Hotel) -> None:
    bring(api, STAY)
    with hotel_context(hotel):
        Reservation.objects.update(status="checked_out")
    assert bring(api, f"{STAY}\nSTATUS:CANCELLED")["unchanged"] == 1
    assert only(hotel).status == "checked_out"


@pytest.mark.parametrize("summary", ["Airbnb (Not available)", "CLOSED - Not available", "Blocked"])
def test_closed_nights_are_nobodys_stay(api: APIClient, hotel: Hotel, summary: str) -> None:
    assert bring(api, STAY.replace("Reserved", summary))["closures"] == 1
    with hotel_context(hotel):
        assert not Reservation.objects.exists()


def test_moments_are_days_by_the_hotels_clock(api: APIClient, hotel: Hotel) -> None:
    bring(
        api,
        "UID:1\nDTSTART:20300509T233000Z\nDTEND:20300512T100000Z\nSUMMARY:A",  # past midnight in Lisbon
        "UID:2\nDTSTART;TZID=America/New_York:20300510T150000\nDURATION:P2D\nSUMMARY:B",
        "UID:3\nDTSTART;VALUE=DATE:20300510\nSUMMARY:C",
    )
    with hotel_context(hotel):
        found = {r.external_id: (f"{r.arrival:%d}", f"{r.departure:%d}") for r in Reservation.objects.all()}
    assert found == {"1": ("10", "12"), "2": ("10", "12"), "3": ("10", "11")}


def test_what_can_be_no_booking_is_named_and_stops_nothing(api: APIClient, hotel: Hotel) -> None:
    counts = bring(
        api,
        STAY,
        "DTSTART;VALUE=DATE:20300510\nSUMMARY:no uid",
        "UID:weekly\nDTSTART;VALUE=DATE:20300510\nRRULE:FREQ=WEEKLY\nSUMMARY:x",
        "UID:back\nDTSTART;VALUE=DATE:20300510\nDTEND;VALUE=DATE:20300510\nSUMMARY:x",
        "UID:nodate\nSUMMARY:x",
        "UID:baddate\nDTSTART:soon\nSUMMARY:x",
        f"UID:long\nDTSTART;VALUE=DATE:20300510\nSUMMARY:{'x' * 10_000}",
        "UID:mail\nDTSTART;VALUE=DATE:20300510\nSUMMARY:x\nATTENDEE:mailto:nobody",
    )
    assert counts["created"] == 1
    assert [refused["uid"] for refused in counts["rejected"]] == [
        "", "weekly", "back", "nodate", "baddate", "long", "mail"
    ]  # fmt: skip
    assert only(hotel).external_id.startswith("1418")


def test_folded_escaped_and_foreign_text_is_read(api: APIClient, hotel: Hotel) -> None:
    bring(
        api,
        "UID:1\nDTSTART;VALUE=DATE:20300510\nSUMMARY:Zoë\\, Ünal\\n  y fa\n mília 👨‍👩‍👧\n"
        "ATTENDEE;CN=Zoe:mailto:zoe@example.com",
    )
    assert (only(hotel).guest_name, only(hotel).guest_email) == (
        "Zoë, Ünal y família 👨‍👩‍👧",
        "zoe@example.com",
    )


def test_a_long_uid_keeps_its_own_reservation(api: APIClient, hotel: Hotel) -> None:
    long = "u" * 100
    for uid in (f"{long}1", f"{long}2", f"{long}1"):
        bring(api, STAY.replace("1418fb94e984-1@airbnb.com", uid))
    with hotel_context(hotel):
        assert Reservation.objects.count() == 2


def test_the_latest_of_one_uid_counts(api: APIClient, hotel: Hotel) -> None:
    bring(api, f"{STAY}\nSEQUENCE:2".replace("20300512", "20300513"), f"{STAY}\nSEQUENCE:1")
    assert f"{only(hotel).departure}" == "2030-05-13"


@pytest.mark.parametrize(
    "text", ["", "hello", "BEGIN:VCARD\r\nEND:VCARD\r\n", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"]
)
def test_what_is_no_calendar_is_said_so(api: APIClient, text: str) -> None:
    answer = api.post(IMPORT, text, content_type="text/calendar")
    assert (answer.status_code, answer.json()["type"]) in {
        (422, "/problems/invalid-file"),
        (400, "/problems/invalid"),
    }


def test_it_may_stand_in_json_and_needs_the_scope(api: APIClient, hotel: Hotel) -> None:
    assert api.post(IMPORT, {"calendar": calendar(STAY)}).json()["created"] == 1
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.post(IMPORT, {"calendar": calendar(STAY)}).status_code == 403


@pytest.fixture
def channel() -> Iterator[str]:
    """The address of a channel manager's calendar."""

    class Answer(Quiet):
        def do_GET(self) -> None:
            found = self.path == "/feed.ics"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(calendar(STAY).encode() if found else b"")

    with serving(listening(Answer)) as server:
        yield f"http://127.0.0.1:{server.server_port}/feed.ics"


def test_the_command_takes_an_address_or_a_file(channel: str, hotel: Hotel, tmp_path: Path) -> None:
    def run(where: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("import_calendar", where, hotel="alpha", json=True, stdout=out)
        found: dict[str, Any] = json.loads(out.getvalue())
        return found

    assert run(channel)["created"] == 1
    (tmp_path / "feed.ics").write_text(calendar(STAY))
    assert run(str(tmp_path / "feed.ics"))["unchanged"] == 1
    with hotel_context(hotel):
        assert Event.objects.get(event="reservation.created").actor_label == "import_calendar"
    for where in (f"{channel}?token=secret", str(tmp_path / "none.ics")):
        with pytest.raises(CommandError, match="can't be read") as refusal:
            call_command("import_calendar", where, hotel="alpha")
        assert refusal.value.returncode == 2
        assert "secret" not in str(refusal.value)


# Out.


@pytest.fixture
def address(hotel: Hotel) -> str:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="calendar", scopes=["calendar:read"])
    return f"{FEED}?token={secret}"


def events_of(content: bytes) -> list[Any]:
    found: list[Any] = icalendar.Calendar.from_ical(content).walk("VEVENT")
    return found


def anybody() -> APIClient:
    return APIClient(SERVER_NAME="alpha.localhost")


def put(api: APIClient, number: str = "R1", **changes: Any) -> None:
    body = {
        "arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "Ana Lima", "room_type": "A",
        "guest_email": "ana@example.com", "guest_phone": "+351 912 345 678",
    }  # fmt: skip
    answer = api.put(f"/api/v1/reservations/by-external-id/{number}/", body | changes)
    assert answer.status_code < 300, answer.json()


def test_a_calendar_program_reads_the_stays_and_no_guest(api: APIClient, address: str) -> None:
    put(api, room_type="Größe 👑 " + "x" * 30)
    put(api, "R2", status="cancelled")
    put(api, "R3", arrival="2030-03-01", departure="2030-03-05")  # long gone
    answer = anybody().get(address, headers={"Accept": "text/calendar, */*;q=0.1"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    for personal in (b"Ana", b"ana@", b"912345", b"912 345"):
        assert personal not in answer.content
    lines = answer.content.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 75
    events = events_of(answer.content)
    assert [(str(event["SUMMARY"])[:2], str(event["STATUS"])) for event in events] == [
        ("R1", "CONFIRMED"), ("R2", "CANCELLED")
    ]  # fmt: skip
    assert f"{events[0]['DTSTART'].dt} {events[0]['DTEND'].dt}" == "2030-05-10 2030-05-12"
    assert events[0]["DTSTAMP"].dt.tzinfo is not None


@pytest.mark.django_db(transaction=True)
def test_an_event_keeps_its_uid_and_a_reader_is_told_when_nothing_changed(
    api: APIClient, address: str
) -> None:
    put(api)
    first = anybody().get(address)
    again = anybody().get(address, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    put(api, departure="2030-05-14")
    changed = anybody().get(address, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    before, after = (events_of(answer.content)[0] for answer in (first, changed))
    assert before["UID"] == after["UID"]
    assert after["SEQUENCE"] >= before["SEQUENCE"]


def test_what_goes_out_may_come_in_elsewhere(api: APIClient, address: str, other_hotel: Hotel) -> None:
    put(api)
    content = anybody().get(address).content.decode()
    with hotel_context(other_hotel):
        _key, secret = api_keys.create(name="in", scopes=["reservations:write"])
    beta = APIClient(SERVER_NAME="beta.localhost")
    beta.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert beta.post(IMPORT, content, content_type="text/calendar").json()["created"] == 1


def test_its_key_opens_nothing_else_and_no_other_key_may_stand_in_an_address(
    api: APIClient, address: str, hotel: Hotel
) -> None:
    assert anybody().get(FEED).status_code == 401
    assert anybody().get(f"{address}x").status_code == 401
    assert APIClient(SERVER_NAME="beta.localhost").get(address).status_code == 401
    token = address.partition("token=")[2]
    assert anybody().get(f"/api/v1/reservations/?token={token}").status_code == 401
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="much", scopes=["calendar:read", "reservations:read"])
    refused = anybody().get(f"{FEED}?token={secret}")
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthenticated")
    client = anybody()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get(FEED).status_code == 200
