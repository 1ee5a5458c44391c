"""Tests of importing iCalendar files as reservations."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from tests.web import QuietHandler, listening, serving

pytestmark = pytest.mark.django_db
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


def import_events(api: APIClient, *events: str, **more: Any) -> dict[str, Any]:
    response = api.post(IMPORT, calendar(*events, **more), content_type="text/calendar")
    assert response.status_code == 200, response.json()
    counts: dict[str, Any] = response.json()
    numbers = {name: value for name, value in counts.items() if isinstance(value, int)}
    assert numbers.pop("events") == sum(numbers.values()) + len(counts["rejected"])
    return counts


def stored_reservation(hotel: Hotel) -> Reservation:
    with hotel_context(hotel):
        return Reservation.objects.get()


def test_imported_calendar_event_becomes_a_reservation_with_reminders(api: APIClient, hotel: Hotel) -> None:
    assert import_events(api, STAY)["created"] == 1
    stored = stored_reservation(hotel)
    assert (stored.external_id, stored.guest_name, stored.guest_email, stored.source) == (
        "1418fb94e984-1@airbnb.com", "Reserved", "", "iCalendar"
    )  # fmt: skip
    assert (f"{stored.arrival}", f"{stored.departure}") == ("2030-05-10", "2030-05-12")
    with hotel_context(hotel):
        assert Reminder.objects.filter(status="scheduled").count() == 2
    assert import_events(api, STAY)["unchanged"] == 1


def test_second_import_changes_dates_and_cancels_bookings_but_keeps_the_guest_data(
    api: APIClient, hotel: Hotel
) -> None:
    import_events(api, STAY)
    with hotel_context(hotel):
        update_guest(
            reservation_id=stored_reservation(hotel).id,
            guest_name="Ana Lima",
            guest_email="ana@example.com",
            guest_phone="",
            language="pt",
        )
    assert import_events(api, STAY.replace("20300512", "20300514"))["updated"] == 1
    assert (stored_reservation(hotel).guest_name, f"{stored_reservation(hotel).departure}") == (
        "Ana Lima",
        "2030-05-14",
    )
    assert import_events(api, f"{STAY}\nSTATUS:CANCELLED")["cancelled"] == 1
    assert stored_reservation(hotel).status == "cancelled"
    assert import_events(api, f"{STAY}\nSTATUS:CANCELLED")["unchanged"] == 1
    assert import_events(api, STAY)["updated"] == 1
    assert stored_reservation(hotel).status == "booked"
    assert import_events(api, STAY, method="CANCEL")["cancelled"] == 1
    with hotel_context(hotel):
        assert not Reminder.objects.filter(status="scheduled").exists()


def test_cancelled_calendar_event_does_not_cancel_a_checked_out_reservation(
    api: APIClient, hotel: Hotel
) -> None:
    import_events(api, STAY)
    with hotel_context(hotel):
        Reservation.objects.update(status="checked_out")
    assert import_events(api, f"{STAY}\nSTATUS:CANCELLED")["unchanged"] == 1
    assert stored_reservation(hotel).status == "checked_out"


@pytest.mark.parametrize("summary", ["Airbnb (Not available)", "CLOSED - Not available", "Blocked"])
def test_calendar_event_for_a_closure_creates_no_reservation(
    api: APIClient, hotel: Hotel, summary: str
) -> None:
    assert import_events(api, STAY.replace("Reserved", summary))["closures"] == 1
    with hotel_context(hotel):
        assert not Reservation.objects.exists()


def test_import_converts_event_times_to_dates_in_the_time_zone_of_the_hotel(
    api: APIClient, hotel: Hotel
) -> None:
    import_events(
        api,
        "UID:1\nDTSTART:20300509T233000Z\nDTEND:20300512T100000Z\nSUMMARY:A",  # this time is on 10 May in Lisbon
        "UID:2\nDTSTART;TZID=America/New_York:20300510T150000\nDURATION:P2D\nSUMMARY:B",
        "UID:3\nDTSTART;VALUE=DATE:20300510\nSUMMARY:C",
    )
    with hotel_context(hotel):
        dates = {r.external_id: (f"{r.arrival:%d}", f"{r.departure:%d}") for r in Reservation.objects.all()}
    assert dates == {"1": ("10", "12"), "2": ("10", "12"), "3": ("10", "11")}


def test_unreadable_calendar_event_is_reported_and_all_other_events_are_imported(
    api: APIClient, hotel: Hotel
) -> None:
    counts = import_events(
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
    assert {event["uid"]: event["nights"] for event in counts["rejected"]} == {
        "weekly": counts["rejected"][0]["nights"],
        "back": [{"check_in": "2030-05-10", "check_out": "2030-05-11"}],
        "nodate": [],
        "baddate": [],
    }
    assert len(counts["rejected"][0]["nights"]) == 156  # the event is repeated weekly for three years
    assert [event["uid"] for event in counts["warnings"]] == ["mail"]
    with hotel_context(hotel):
        stored = {
            row.calendar_uid: (len(row.guest_name), row.guest_email) for row in Reservation.objects.all()
        }
    assert stored == {
        "1418fb94e984-1@airbnb.com": (len("Reserved"), ""),
        "no-uid-20300510-20300511": (len("no uid"), ""),
        "long": (200, ""),
        "mail": (1, ""),
    }


def test_import_parses_folded_escaped_and_non_ascii_text_in_calendars(api: APIClient, hotel: Hotel) -> None:
    import_events(
        api,
        "UID:1\nDTSTART;VALUE=DATE:20300510\nSUMMARY:Zoë\\, Ünal\\n  y fa\n mília 👨‍👩‍👧\n"
        "ATTENDEE;CN=Zoe:mailto:zoe@example.com",
    )
    assert (stored_reservation(hotel).guest_name, stored_reservation(hotel).guest_email) == (
        "Zoë, Ünal y família 👨‍👩‍👧",
        "zoe@example.com",
    )


def test_events_whose_long_uids_share_a_prefix_become_different_reservations(
    api: APIClient, hotel: Hotel
) -> None:
    long = "u" * 100
    for uid in (f"{long}1", f"{long}2", f"{long}1"):
        import_events(api, STAY.replace("1418fb94e984-1@airbnb.com", uid))
    with hotel_context(hotel):
        assert Reservation.objects.count() == 2


def test_import_with_several_versions_of_an_event_uses_the_highest_sequence(
    api: APIClient, hotel: Hotel
) -> None:
    import_events(api, f"{STAY}\nSEQUENCE:2".replace("20300512", "20300513"), f"{STAY}\nSEQUENCE:1")
    assert f"{stored_reservation(hotel).departure}" == "2030-05-13"


@pytest.mark.parametrize(
    "text", ["", "hello", "BEGIN:VCARD\r\nEND:VCARD\r\n", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"]
)
def test_import_of_an_invalid_calendar_file_is_rejected(api: APIClient, text: str) -> None:
    response = api.post(IMPORT, text, content_type="text/calendar")
    assert (response.status_code, response.json()["type"]) in {
        (422, "/problems/invalid-file"),
        (400, "/problems/invalid"),
    }


def test_calendar_import_api_accepts_json_and_requires_the_write_scope(api: APIClient, hotel: Hotel) -> None:
    assert api.post(IMPORT, {"calendar": calendar(STAY)}).json()["created"] == 1
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.post(IMPORT, {"calendar": calendar(STAY)}).status_code == 403


@pytest.fixture
def channel() -> Iterator[str]:
    """Start a local HTTP server that publishes a calendar, and return the URL of the calendar."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            exists = self.path == "/feed.ics"
            self.send_response(200 if exists else 404)
            self.end_headers()
            self.wfile.write(calendar(STAY).encode() if exists else b"")

    with serving(listening(Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/feed.ics"


def test_import_command_imports_a_calendar_from_a_url_or_a_file(
    channel: str, hotel: Hotel, tmp_path: Path
) -> None:
    def run(file_or_url: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("import_calendar", file_or_url, hotel="alpha", json=True, stdout=out)
        report: dict[str, Any] = json.loads(out.getvalue())
        return report

    assert run(channel)["created"] == 1
    (tmp_path / "feed.ics").write_text(calendar(STAY))
    assert run(str(tmp_path / "feed.ics"))["unchanged"] == 1
    with hotel_context(hotel):
        assert Event.objects.get(event="reservation.created").actor_id == "import_calendar"
    for file_or_url in (f"{channel}?token=secret", str(tmp_path / "none.ics")):
        with pytest.raises(CommandError, match="can't be read") as raised:
            call_command("import_calendar", file_or_url, hotel="alpha")
        assert raised.value.returncode == 1
        assert "secret" not in str(raised.value)
