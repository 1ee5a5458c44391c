"""Tests of linked calendars: calendars of booking channels, which are imported into a room every half hour."""

import json
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from dlq.models import Failure
from locks import services
from locks.errors import RoomUnavailable
from locks.models import Allocation, Room
from locks.nights import Nights
from reminders.errors import CalendarConflict, CalendarNotFound, CalendarUnavailable, InvalidCalendarUrl
from reminders.models import LinkedCalendar, Reservation
from reminders.reservations.calendars import download
from reminders.reservations.calendars import services as calendar_services
from reminders.tasks import sync_calendar, sync_calendars
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.lifecycle.backup.activation import find_overdue_items
from tenants.models import DueItem, Hotel
from tests.reminders.calendars.channel import TOKEN, Channel
from tests.reminders.calendars.test_file_import import STAY, calendar
from tests.reminders.conftest import Clock
from tests.web import serving

pytestmark = pytest.mark.django_db
API = "/api/v1/calendars/"
ADMIN = "/admin/reminders/linkedcalendar/"


@pytest.fixture
def channel() -> Iterator[Channel]:
    with serving(Channel(calendar(STAY).encode())) as listening:
        yield listening


@pytest.fixture
def room(in_hotel: Hotel) -> Room:
    services.ensure_rooms({"double": 1})
    return Room.objects.get()


@pytest.fixture
def linked(channel: Channel, room: Room) -> LinkedCalendar:
    return calendar_services.link_calendar(room=room.id, name="Airbnb", url=channel.url)


def sync(linked_calendar: LinkedCalendar) -> LinkedCalendar:
    """Import the linked calendar as a Celery worker does when the calendar is due, and return the linked calendar."""
    calendar_services.sync_due_calendar(linked_calendar.id)
    linked_calendar.refresh_from_db()
    return linked_calendar


def sync_report(linked_calendar: LinkedCalendar) -> dict[str, Any]:
    """Import the linked calendar and return the import report."""
    report: dict[str, Any] | None = sync(linked_calendar).last_report
    assert report is not None
    return report


def sync_error(linked_calendar: LinkedCalendar) -> str:
    """Try to import a linked calendar that cannot be imported, and return the error message."""
    with pytest.raises(CalendarUnavailable) as raised:
        calendar_services.sync_calendar(linked_calendar.id)
    linked_calendar.refresh_from_db()
    assert linked_calendar.error_message == raised.value.detail
    assert TOKEN not in json.dumps(linked_calendar.last_error)
    return linked_calendar.error_message


def due_at() -> datetime:
    return DueItem.objects.get(kind="calendar").due_at


def test_bookings_of_a_linked_calendar_get_stays_in_the_linked_room(
    linked: LinkedCalendar, channel: Channel, room: Room
) -> None:
    assert due_at() <= datetime.now(UTC)
    assert calendar_services.sync_due_calendar(linked.id) is True
    stay = Allocation.objects.get(status="confirmed")
    assert (stay.room_id, f"{stay.check_in}", f"{stay.check_out}") == (room.id, "2030-05-10", "2030-05-12")
    assert Reservation.objects.get().stay_id == stay.id
    channel.content = calendar(STAY.replace("20300512", "20300513")).encode()
    report = sync_report(linked)
    assert (report["updated"], report["without_room"]) == (1, [])
    stay.refresh_from_db()
    assert f"{stay.check_out}" == "2030-05-13"
    channel.content = calendar(f"{STAY}\nSTATUS:CANCELLED").encode()
    assert sync_report(linked)["cancelled"] == 1
    stay.refresh_from_db()
    assert stay.status == "cancelled"


def test_calendar_is_imported_again_after_half_an_hour_even_if_the_import_failed(
    linked: LinkedCalendar, channel: Channel
) -> None:
    for answer in (200, 500):
        channel.responses = [answer]
        before = datetime.now(UTC)
        sync(linked)
        assert timedelta(minutes=30) <= due_at() - before <= timedelta(minutes=34)


OTHER = STAY.replace("1418fb94e984-1", "other").replace("203005", "203006")
PAST = "UID:past\nDTSTART;VALUE=DATE:20300430\nDTEND;VALUE=DATE:20300502\nSUMMARY:Reserved"


def test_booking_missing_from_two_imports_is_cancelled_until_the_calendar_contains_it_again(
    linked: LinkedCalendar, channel: Channel, clock: Clock
) -> None:
    clock("2030-05-01 12:00")

    def publish(*events: str) -> dict[str, Any]:
        channel.content = calendar(*events).encode()
        return sync_report(linked)

    def booked() -> set[str]:
        numbers = Reservation.objects.exclude(status="cancelled").values_list("external_id", flat=True)
        return {number.partition("@")[0] for number in numbers}

    publish(STAY, OTHER, PAST)
    assert booked() == {"1418fb94e984-1", "other", "past"}
    assert publish(OTHER)["removed"] == 0  # the calendar lacks STAY for the first time
    assert publish(STAY, OTHER)["removed"] == 0  # STAY is in the calendar again
    assert publish(OTHER)["removed"] == 0
    assert publish()["removed"] == 0  # an empty calendar is ignored
    publish(OTHER)
    assert publish(OTHER)["removed"] == 1
    assert booked() == {"other", "past"}  # a booking of a guest who has arrived is kept
    assert Allocation.objects.filter(status="confirmed").count() == 2
    assert publish(STAY, OTHER)["updated"] == 1
    assert booked() == {"1418fb94e984-1", "other", "past"}


CLOSURE = "UID:b1\nDTSTART;VALUE=DATE:{}\nDTEND;VALUE=DATE:{}\nSUMMARY:CLOSED - Not available"


def test_closure_in_a_linked_calendar_closes_only_nights_without_a_stay(
    linked: LinkedCalendar, channel: Channel, room: Room
) -> None:
    def publish(*events: str) -> set[tuple[str, str]]:
        channel.content = calendar(*events).encode()
        closed_nights = sync_report(linked)["closed_nights"]
        closures = Allocation.objects.filter(status="closed", room=room, reason="Airbnb")
        assert closed_nights == sum((row.check_out - row.check_in).days for row in closures)
        return {(f"{row.check_in:%m-%d}", f"{row.check_out:%m-%d}") for row in closures}

    # The closure includes the stay from 10 to 12 May.
    closure = CLOSURE.format("20300508", "20300515")
    assert publish(STAY, closure) == {("05-08", "05-10"), ("05-12", "05-15")}
    before = set(Allocation.objects.values_list("id", flat=True))
    assert publish(STAY, closure) == {("05-08", "05-10"), ("05-12", "05-15")}
    assert set(Allocation.objects.values_list("id", flat=True)) == before
    # The guest cancels the stay, so the nights from 10 to 12 May can be closed, too.
    assert publish(f"{STAY}\nSTATUS:CANCELLED", closure) == {("05-08", "05-15")}
    assert publish(CLOSURE.format("20300509", "20300511")) == {("05-09", "05-11")}
    channel.content = calendar().encode()  # an empty calendar is ignored
    assert sync_report(linked)["events"] == 0
    with pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[room.id], nights=Nights(date(2030, 5, 10), date(2030, 5, 11)))
    calendar_services.unlink_calendar(linked.id)
    assert not Allocation.objects.filter(status="closed").exists()
    numbers = Counter(Event.objects.values_list("event", flat=True))
    assert (numbers["room.closed"], numbers["room.reopened"]) == (4, 4)


def test_closures_in_a_linked_calendar_are_ignored_if_import_closures_is_off(
    channel: Channel, room: Room
) -> None:
    linked_calendar = calendar_services.link_calendar(
        room=room.id, name="Airbnb", url=channel.url, import_closures=False
    )
    channel.content = calendar(CLOSURE.format("20300508", "20300515")).encode()
    report = sync_report(linked_calendar)
    assert (report["closures"], report["closed_nights"]) == (1, 0)
    assert not Allocation.objects.exists()


def test_overdue_calendar_import_does_not_keep_a_restored_hotel_suspended(
    linked: LinkedCalendar, hotel: Hotel
) -> None:
    """An overdue calendar import is no reason to keep a restored hotel suspended, unlike other overdue items."""
    assert due_at() <= datetime.now(UTC)
    assert not find_overdue_items(hotel).exists()


def test_unchanged_calendar_is_requested_with_its_etag_and_is_not_imported_again(
    linked: LinkedCalendar, channel: Channel
) -> None:
    sync(linked)
    first = linked.last_report
    sync(linked)
    assert channel.requests[1]["if-none-match"] == channel.etag
    assert channel.requests[1]["if-modified-since"] == "Tue, 01 May 2030"
    assert (linked.last_report, linked.consecutive_failures, linked.error_message) == (first, 0, "")
    assert linked.last_success_at == linked.last_attempt_at


def test_booking_of_a_closed_room_is_reported_and_gets_a_stay_after_reopening(
    linked: LinkedCalendar, channel: Channel, room: Room
) -> None:
    nights = Nights(date(2030, 5, 10), date(2030, 5, 11))
    closure = services.close_room(room=room.id, nights=nights, reason="paint")
    [event] = sync_report(linked)["without_room"]
    assert event["uid"].endswith("@airbnb.com")
    assert event["detail"]["params"]["room"] == room.number
    assert Reservation.objects.get().stay is None
    services.reopen_room(closure.id)
    assert sync_report(linked)["without_room"] == []
    assert Reservation.objects.get().stay is not None


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([404], "status 404"),
        ([500], "status 500"),
        (["hang"], "did not respond within"),
        (["drip"], "did not respond within"),
        (["short"], "failed: IncompleteRead"),
        (["endless"], "The limit is 5,000,000 bytes"),
        (["/export.ics"], "Too many redirects (limit: 3)"),
        (["ftp://channel.example/"], "must start with https"),
        (["http://[broken"], "invalid URL"),
    ],
)
def test_download_error_of_a_calendar_is_reported_without_the_secret_url(
    linked: LinkedCalendar,
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int | str],
    message: str,
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    channel.responses = answers
    assert message in sync_error(linked)
    assert linked.consecutive_failures == 1
    assert linked.last_success_at is None


RECURRING = STAY.replace("UID:1418fb94e984-1", "UID:weekly") + "\nRRULE:FREQ=WEEKLY"
BACKWARDS = STAY.replace("1418fb94e984-1", "backwards").replace("20300512", "20300509")


def test_calendar_errors_are_displayed_in_the_language_of_the_user(
    staff: Client, api: APIClient, linked: LinkedCalendar, channel: Channel, room: Room
) -> None:
    nights = Nights(date(2030, 5, 10), date(2030, 5, 12))
    services.close_room(room=room.id, nights=nights, reason="paint")
    channel.content = calendar(STAY, RECURRING, BACKWARDS).encode()
    sync(linked)
    channel.responses = [404]
    sync(linked)
    spanish = {"Accept-Language": "es"}
    page = staff.get(f"{ADMIN}{linked.id}/change/", headers=spanish).content.decode()
    [listed] = api.get(API, headers=spanish).json()["results"]
    details = [
        event["detail"] for event in listed["last_report"]["rejected"] + listed["last_report"]["without_room"]
    ]
    for text in (listed["last_error"], *details):
        assert text in page
    assert (
        listed["last_error"]
        == "El canal retiró esta URL (estado 404). Vincule el calendario de nuevo con su nueva URL."
    )
    assert details == [
        "Los eventos periódicos no se importan como reservas. Sus noches se cierran.",
        "La salida debe ser posterior a la llegada.",
        f"La habitación {room.number} no está disponible entre el 2030-05-10 y el 2030-05-12.",
    ]
    [listed] = api.get(API).json()["results"]
    assert "Link the calendar again" in listed["last_error"]
    assert "Repeating events are not imported" in listed["last_report"]["rejected"][0]["detail"]


def test_calendar_download_follows_redirects_only_to_public_addresses(
    linked: LinkedCalendar, channel: Channel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.responses = ["/other.ics", 200]
    assert sync_report(linked)["created"] == 1
    assert [request["path"] for request in channel.requests] == [f"/export.ics?s={TOKEN}", "/other.ics"]
    settings.ALLOW_PRIVATE_ADDRESSES = False
    for url in (
        "http://channel.example/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[::1]/",
    ):
        with pytest.raises(CalendarUnavailable):
            download.download(url)

    def lookup(_host: str, port: int, *_how: Any, **_named: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(CalendarUnavailable, match="not on the public internet"):
        download.download("https://channel.example/x")
    assert len(channel.requests) == 2


def test_repeated_calendar_failures_create_one_entry_in_the_dead_letter_queue(
    linked: LinkedCalendar, channel: Channel, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.responses = [404]
    delayed: list[str] = []
    monkeypatch.setattr(sync_calendar, "delay", delayed.append)
    for _ in range(calendar_services.FAILURES_BEFORE_ALERT + 3):
        sync_calendars([str(linked.id)])
    assert delayed == [str(linked.id)]
    sync_calendar.apply(args=delayed)
    failure = Failure.objects.get()
    assert failure.name == "reminders.tasks.sync_calendar"
    assert TOKEN not in json.dumps(failure.payload) + failure.error_message
    channel.responses = [200]
    assert sync_report(linked)["created"] == 1
    assert (linked.error_message, linked.consecutive_failures) == ("", 0)


def test_url_of_a_linked_calendar_is_stored_encrypted_and_never_logged(
    linked: LinkedCalendar, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        sync(linked)
        channel.responses = [500]
        sync(linked)
    assert TOKEN not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text, encode(c.encrypted_url, 'escape') FROM reminders_linkedcalendar c")
        assert TOKEN not in "".join(cursor.fetchone())
    assert not [event for event in Event.objects.all() if TOKEN in json.dumps(event.fields)]


def test_calendar_import_after_a_change_of_secret_key_fails_and_names_secret_key(
    linked: LinkedCalendar, settings: Any
) -> None:
    settings.SECRET_KEY = "another" * 10
    assert "SECRET_KEY has changed" in sync_error(linked)


def test_linked_calendar_cannot_be_linked_again_but_can_be_unlinked(
    linked: LinkedCalendar, channel: Channel, room: Room
) -> None:
    with pytest.raises(CalendarConflict):
        calendar_services.link_calendar(room=room.id, name="Again", url=channel.url)
    calendar_services.unlink_calendar(linked.id)
    assert not DueItem.objects.filter(kind="calendar").exists()
    with pytest.raises(CalendarNotFound):
        calendar_services.unlink_calendar(linked.id)
    assert calendar_services.sync_due_calendar(linked.id) is True
    assert list(
        Event.objects.filter(event__startswith="calendar.").order_by("id").values_list("event", flat=True)
    ) == [
        "calendar.linked",
        "calendar.unlinked",
    ]


@pytest.mark.parametrize(
    "url", ["", "airbnb", "ftp://x.example/", "https://user:pw@x.example/", "https://x y/"]
)
def test_linking_a_calendar_with_an_invalid_url_raises_an_error(room: Room, url: str) -> None:
    with pytest.raises(InvalidCalendarUrl):
        calendar_services.link_calendar(room=room.id, name="x", url=url)


def test_webcal_url_is_normalized_to_https() -> None:
    assert download.normalize_url(" webcal://channel.example/1.ics ") == "https://channel.example/1.ics"


def test_calendar_can_be_linked_listed_and_unlinked_through_the_api(
    api: APIClient, hotel: Hotel, room: Room, channel: Channel
) -> None:
    created = api.post(API, {"room": room.id, "name": "Airbnb", "url": channel.url})
    assert created.status_code == 201, created.json()
    body = created.json()
    assert TOKEN not in created.content.decode()
    assert (body["room_number"], body["host"], body["last_success_at"], body["last_report"]) == (
        room.number,
        "127.0.0.1",
        None,
        None,
    )
    with hotel_context(hotel):
        sync_calendars([body["id"]])
    [listed] = api.get(API, {"room": room.id}).json()["results"]
    assert (listed["last_report"]["created"], listed["last_error"]) == (1, "")
    assert api.post(f"{API}{body['id']}/sync/").status_code == 202
    assert api.post(API, {"room": 999, "name": "x", "url": channel.url}).status_code == 404
    response = api.post(API, {"room": room.id, "name": "x", "url": channel.url})
    assert (response.status_code, response.json()["type"]) == (409, "/problems/calendar-conflict")
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.get(API).status_code == 200
    assert reader.delete(f"{API}{body['id']}/").status_code == 403
    assert api.delete(f"{API}{body['id']}/").status_code == 204
    assert api.get(f"{API}{body['id']}/").status_code == 404


def test_calendar_can_be_linked_displayed_and_unlinked_in_the_admin(
    staff: Client, in_hotel: Hotel, room: Room, channel: Channel
) -> None:
    assert staff.get(f"{ADMIN}add/").status_code == 200
    response = staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": "vrbo"})
    assert b"must start with https" in response.content
    assert (
        staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": channel.url}).status_code == 302
    )
    linked_calendar = LinkedCalendar.objects.get()
    again = staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": channel.url}, follow=True)
    assert b"already linked" in again.content
    assert b"not imported yet" in staff.get(ADMIN).content
    sync(linked_calendar)
    assert b"Events: 1 (1 created" in staff.get(ADMIN).content
    channel.responses = [404]
    sync(linked_calendar)
    for page in (ADMIN, f"{ADMIN}{linked_calendar.id}/change/"):
        content = staff.get(page).content.decode()
        assert "status 404" in content
        assert TOKEN not in content
    assert "Events: 1 (1 created" in staff.get(f"{ADMIN}{linked_calendar.id}/change/").content.decode()
    data = {"action": "import_now", "_selected_action": [str(linked_calendar.id)]}
    assert b"1 calendar will be imported shortly." in staff.post(ADMIN, data, follow=True).content
    assert due_at() <= datetime.now(UTC)
    assert staff.post(f"{ADMIN}{linked_calendar.id}/delete/", {"post": "yes"}).status_code == 302
    assert not LinkedCalendar.objects.exists()
