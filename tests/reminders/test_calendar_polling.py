"""A channel publishes a room's calendar at an address of its own, and the hotel reads it every half hour."""

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
from tests.reminders.channel import TOKEN, Channel
from tests.reminders.conftest import Clock
from tests.reminders.test_calendars import STAY, calendar
from tests.web import serving

pytestmark = pytest.mark.django_db
PAGE = "/api/v1/calendars/"
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
def added(channel: Channel, room: Room) -> LinkedCalendar:
    return calendar_services.link_calendar(room=room.id, name="Airbnb", url=channel.url)


def read(address: LinkedCalendar) -> LinkedCalendar:
    calendar_services.sync_due_calendar(address.id)
    address.refresh_from_db()
    return address


def held(address: LinkedCalendar) -> dict[str, Any]:
    """What the calendar held, by what is shown of it."""
    report: dict[str, Any] | None = read(address).last_report
    assert report is not None
    return report


def failed(address: LinkedCalendar) -> str:
    with pytest.raises(CalendarUnavailable) as refused:
        calendar_services.sync_calendar(address.id)
    address.refresh_from_db()
    assert address.error_message == refused.value.detail
    assert TOKEN not in json.dumps(address.last_error)
    return address.error_message


def due_at() -> datetime:
    return DueItem.objects.get(kind="calendar").due_at


def test_what_it_says_is_booked_in_its_room_and_follows(
    added: LinkedCalendar, channel: Channel, room: Room
) -> None:
    assert due_at() <= datetime.now(UTC)
    assert calendar_services.sync_due_calendar(added.id) is True
    stay = Allocation.objects.get(status="confirmed")
    assert (stay.room_id, f"{stay.check_in}", f"{stay.check_out}") == (room.id, "2030-05-10", "2030-05-12")
    assert Reservation.objects.get().stay_id == stay.id
    channel.content = calendar(STAY.replace("20300512", "20300513")).encode()
    report = held(added)
    assert (report["updated"], report["without_room"]) == (1, [])
    stay.refresh_from_db()
    assert f"{stay.check_out}" == "2030-05-13"
    channel.content = calendar(f"{STAY}\nSTATUS:CANCELLED").encode()
    assert held(added)["cancelled"] == 1
    stay.refresh_from_db()
    assert stay.status == "cancelled"


def test_it_is_due_again_half_an_hour_after_whatever_came_of_it(
    added: LinkedCalendar, channel: Channel
) -> None:
    for answer in (200, 500):
        channel.answers = [answer]
        before = datetime.now(UTC)
        read(added)
        assert timedelta(minutes=30) <= due_at() - before <= timedelta(minutes=34)


OTHER = STAY.replace("1418fb94e984-1", "other").replace("203005", "203006")
PAST = "UID:past\nDTSTART;VALUE=DATE:20300430\nDTEND;VALUE=DATE:20300502\nSUMMARY:Reserved"


def test_a_booking_that_is_gone_twice_is_cancelled_and_comes_back(
    added: LinkedCalendar, channel: Channel, clock: Clock
) -> None:
    clock("2030-05-01 12:00")

    def publish(*events: str) -> dict[str, Any]:
        channel.content = calendar(*events).encode()
        return held(added)

    def booked() -> set[str]:
        found = Reservation.objects.exclude(status="cancelled").values_list("external_id", flat=True)
        return {number.partition("@")[0] for number in found}

    publish(STAY, OTHER, PAST)
    assert booked() == {"1418fb94e984-1", "other", "past"}
    assert publish(OTHER)["removed"] == 0  # for once
    assert publish(STAY, OTHER)["removed"] == 0  # and it was a mistake
    assert publish(OTHER)["removed"] == 0
    assert publish()["removed"] == 0  # no calendar that a channel makes
    publish(OTHER)
    assert publish(OTHER)["removed"] == 1
    assert booked() == {"other", "past"}  # a guest who is in the house stays
    assert Allocation.objects.filter(status="confirmed").count() == 2
    assert publish(STAY, OTHER)["updated"] == 1
    assert booked() == {"1418fb94e984-1", "other", "past"}


BLOCK = "UID:b1\nDTSTART;VALUE=DATE:{}\nDTEND;VALUE=DATE:{}\nSUMMARY:CLOSED - Not available"


def test_nights_that_the_channel_closed_are_closed_here_as_far_as_they_are_free(
    added: LinkedCalendar, channel: Channel, room: Room
) -> None:
    def publish(*events: str) -> set[tuple[str, str]]:
        channel.content = calendar(*events).encode()
        nights = held(added)["closed_nights"]
        closed = Allocation.objects.filter(status="closed", room=room, reason="Airbnb")
        assert nights == sum((stay.check_out - stay.check_in).days for stay in closed)
        return {(f"{stay.check_in:%m-%d}", f"{stay.check_out:%m-%d}") for stay in closed}

    # The stay from the 10th to the 12th lies within what is closed.
    block = BLOCK.format("20300508", "20300515")
    assert publish(STAY, block) == {("05-08", "05-10"), ("05-12", "05-15")}
    before = set(Allocation.objects.values_list("id", flat=True))
    assert publish(STAY, block) == {("05-08", "05-10"), ("05-12", "05-15")}
    assert set(Allocation.objects.values_list("id", flat=True)) == before
    # The guest cancels, and the channel goes on selling to somebody else: the nights are closed now.
    assert publish(f"{STAY}\nSTATUS:CANCELLED", block) == {("05-08", "05-15")}
    assert publish(BLOCK.format("20300509", "20300511")) == {("05-09", "05-11")}
    channel.content = calendar().encode()  # no calendar that a channel makes
    assert held(added)["events"] == 0
    with pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[room.id], nights=Nights(date(2030, 5, 10), date(2030, 5, 11)))
    calendar_services.unlink_calendar(added.id)
    assert not Allocation.objects.filter(status="closed").exists()
    numbers = Counter(Event.objects.values_list("event", flat=True))
    assert (numbers["room.closed"], numbers["room.reopened"]) == (4, 4)


def test_closed_nights_close_nothing_where_nobody_wants_it(channel: Channel, room: Room) -> None:
    address = calendar_services.link_calendar(
        room=room.id, name="Airbnb", url=channel.url, import_closures=False
    )
    channel.content = calendar(BLOCK.format("20300508", "20300515")).encode()
    report = held(address)
    assert (report["closures"], report["closed_nights"]) == (1, 0)
    assert not Allocation.objects.exists()


def test_a_hotel_that_is_restored_goes_on_reading(added: LinkedCalendar, hotel: Hotel) -> None:
    """What was due when a backup was made is otherwise forgotten, or keeps the hotel closed."""
    assert due_at() <= datetime.now(UTC)
    assert not find_overdue_items(hotel).exists()


def test_what_has_not_changed_is_not_sent_again(added: LinkedCalendar, channel: Channel) -> None:
    read(added)
    first = added.last_report
    read(added)
    assert channel.asked[1]["if-none-match"] == channel.etag
    assert channel.asked[1]["if-modified-since"] == "Tue, 01 May 2030"
    assert (added.last_report, added.consecutive_failures, added.error_message) == (first, 0, "")
    assert added.last_success_at == added.last_attempt_at


def test_a_taken_room_is_named_and_looked_at_again(
    added: LinkedCalendar, channel: Channel, room: Room
) -> None:
    nights = Nights(date(2030, 5, 10), date(2030, 5, 11))
    closed = services.close_room(room=room.id, nights=nights, reason="paint")
    [missed] = held(added)["without_room"]
    assert missed["uid"].endswith("@airbnb.com")
    assert missed["detail"]["params"]["room"] == room.number
    assert Reservation.objects.get().stay is None
    services.reopen_room(closed.id)
    assert held(added)["without_room"] == []
    assert Reservation.objects.get().stay is not None


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([404], "status 404"),
        ([500], "status 500"),
        (["hang"], "did not respond within"),
        (["drip"], "did not respond within"),
        (["short"], "failed: IncompleteRead"),
        (["endless"], "more than 5,000,000 bytes"),
        (["/export.ics"], "Too many redirects (limit: 3)"),
        (["ftp://channel.example/"], "must start with https"),
        (["http://[broken"], "invalid URL"),
    ],
)
def test_what_goes_wrong_is_said_without_the_secret(
    added: LinkedCalendar,
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int | str],
    message: str,
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    channel.answers = answers
    assert message in failed(added)
    assert added.consecutive_failures == 1
    assert added.last_success_at is None


REFUSED = STAY.replace("UID:1418fb94e984-1", "UID:weekly") + "\nRRULE:FREQ=WEEKLY"
BACKWARDS = STAY.replace("1418fb94e984-1", "backwards").replace("20300512", "20300509")


def test_each_reads_in_their_own_language_what_was_kept_in_none(
    staff: Client, api: APIClient, added: LinkedCalendar, channel: Channel, room: Room
) -> None:
    nights = Nights(date(2030, 5, 10), date(2030, 5, 12))
    services.close_room(room=room.id, nights=nights, reason="paint")
    channel.content = calendar(STAY, REFUSED, BACKWARDS).encode()
    read(added)
    channel.answers = [404]
    read(added)
    spanish = {"Accept-Language": "es"}
    page = staff.get(f"{ADMIN}{added.id}/change/", headers=spanish).content.decode()
    [listed] = api.get(PAGE, headers=spanish).json()["results"]
    told = [
        event["detail"] for event in listed["last_report"]["rejected"] + listed["last_report"]["without_room"]
    ]
    for text in (listed["last_error"], *told):
        assert text in page
    assert (
        listed["last_error"]
        == "El canal respondió con el estado 404. Vincule el calendario de nuevo con su nueva URL."
    )
    assert told == [
        "Los eventos periódicos no se pueden importar.",
        "La salida debe ser posterior a la llegada.",
        f"La habitación {room.number} no está disponible entre el 2030-05-10 y el 2030-05-12.",
    ]
    [listed] = api.get(PAGE).json()["results"]
    assert "Link the calendar again" in listed["last_error"]
    assert listed["last_report"]["rejected"][0]["detail"] == "Recurring events can't be imported."


def test_a_redirect_is_followed_and_what_it_leads_to_is_judged(
    added: LinkedCalendar, channel: Channel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.answers = ["/other.ics", 200]
    assert held(added)["created"] == 1
    assert [asked["path"] for asked in channel.asked] == [f"/export.ics?s={TOKEN}", "/other.ics"]
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
    assert len(channel.asked) == 2


def test_several_failures_in_a_row_are_kept_for_people_once(
    added: LinkedCalendar, channel: Channel, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.answers = [404]
    last: list[str] = []
    monkeypatch.setattr(sync_calendar, "delay", last.append)
    for _ in range(calendar_services.FAILURES_BEFORE_ALERT + 3):
        sync_calendars([str(added.id)])
    assert last == [str(added.id)]
    sync_calendar.apply(args=last)
    failure = Failure.objects.get()
    assert failure.name == "reminders.tasks.sync_calendar"
    assert TOKEN not in json.dumps(failure.payload) + failure.error_message
    channel.answers = [200]
    assert held(added)["created"] == 1
    assert (added.error_message, added.consecutive_failures) == ("", 0)


def test_the_address_is_sealed_and_never_logged(
    added: LinkedCalendar, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        read(added)
        channel.answers = [500]
        read(added)
    assert TOKEN not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text, encode(c.encrypted_url, 'escape') FROM reminders_linkedcalendar c")
        assert TOKEN not in "".join(cursor.fetchone())
    assert not [event for event in Event.objects.all() if TOKEN in json.dumps(event.data)]


def test_another_secret_key_is_said_so(added: LinkedCalendar, settings: Any) -> None:
    settings.SECRET_KEY = "another" * 10
    assert "SECRET_KEY has changed" in failed(added)


def test_an_address_is_one_rooms_and_its_end_is_the_end(
    added: LinkedCalendar, channel: Channel, room: Room
) -> None:
    with pytest.raises(CalendarConflict):
        calendar_services.link_calendar(room=room.id, name="Again", url=channel.url)
    calendar_services.unlink_calendar(added.id)
    assert not DueItem.objects.filter(kind="calendar").exists()
    with pytest.raises(CalendarNotFound):
        calendar_services.unlink_calendar(added.id)
    assert calendar_services.sync_due_calendar(added.id) is True
    assert list(
        Event.objects.filter(event__startswith="calendar.").order_by("id").values_list("event", flat=True)
    ) == [
        "calendar.linked",
        "calendar.unlinked",
    ]


@pytest.mark.parametrize(
    "url", ["", "airbnb", "ftp://x.example/", "https://user:pw@x.example/", "https://x y/"]
)
def test_what_can_be_no_address_is_refused(room: Room, url: str) -> None:
    with pytest.raises(InvalidCalendarUrl):
        calendar_services.link_calendar(room=room.id, name="x", url=url)


def test_webcal_is_https_by_another_name() -> None:
    assert download.normalize_url(" webcal://channel.example/1.ics ") == "https://channel.example/1.ics"


def test_over_rest_it_is_added_seen_and_removed(
    api: APIClient, hotel: Hotel, room: Room, channel: Channel
) -> None:
    made = api.post(PAGE, {"room": room.id, "name": "Airbnb", "url": channel.url})
    assert made.status_code == 201, made.json()
    body = made.json()
    assert TOKEN not in made.content.decode()
    assert (body["room_number"], body["host"], body["last_success_at"], body["last_report"]) == (
        room.number,
        "127.0.0.1",
        None,
        None,
    )
    with hotel_context(hotel):
        sync_calendars([body["id"]])
    [listed] = api.get(PAGE, {"room": room.id}).json()["results"]
    assert (listed["last_report"]["created"], listed["last_error"]) == (1, "")
    assert api.post(f"{PAGE}{body['id']}/sync/").status_code == 202
    assert api.post(PAGE, {"room": 999, "name": "x", "url": channel.url}).status_code == 404
    refused = api.post(PAGE, {"room": room.id, "name": "x", "url": channel.url})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/calendar-conflict")
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.get(PAGE).status_code == 200
    assert reader.delete(f"{PAGE}{body['id']}/").status_code == 403
    assert api.delete(f"{PAGE}{body['id']}/").status_code == 204
    assert api.get(f"{PAGE}{body['id']}/").status_code == 404


def test_staff_add_one_and_see_how_it_goes(
    staff: Client, in_hotel: Hotel, room: Room, channel: Channel
) -> None:
    assert staff.get(f"{ADMIN}add/").status_code == 200
    wrong = staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": "vrbo"})
    assert b"must start with https" in wrong.content
    assert (
        staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": channel.url}).status_code == 302
    )
    address = LinkedCalendar.objects.get()
    again = staff.post(f"{ADMIN}add/", {"room": room.id, "name": "Vrbo", "url": channel.url}, follow=True)
    assert b"already linked" in again.content
    assert b"not imported yet" in staff.get(ADMIN).content
    read(address)
    assert b"1 events: 1 created" in staff.get(ADMIN).content
    channel.answers = [404]
    read(address)
    for page in (ADMIN, f"{ADMIN}{address.id}/change/"):
        content = staff.get(page).content.decode()
        assert "status 404" in content
        assert TOKEN not in content
    assert "1 events: 1 created" in staff.get(f"{ADMIN}{address.id}/change/").content.decode()
    act = {"action": "import_now", "_selected_action": [str(address.id)]}
    assert b"1 calendar will be imported shortly." in staff.post(ADMIN, act, follow=True).content
    assert due_at() <= datetime.now(UTC)
    assert staff.post(f"{ADMIN}{address.id}/delete/", {"post": "yes"}).status_code == 302
    assert not LinkedCalendar.objects.exists()
