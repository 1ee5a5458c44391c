"""Tests of the iCalendar feed that publishes the nights that are not for sale."""

from collections.abc import Callable
from datetime import date
from typing import Any

import icalendar
import pytest
from rest_framework.test import APIClient

from locks import services
from locks.models import Allocation, Room
from locks.nights import Nights
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.calendars.test_file_import import IMPORT
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
FEED = "/api/v1/reservations.ics"
#: The title, the first night and the departure date of an event in the feed.
Published = tuple[str, str, str]


@pytest.fixture(autouse=True)
def _now(clock: Clock) -> None:
    clock("2030-05-01 12:00")


@pytest.fixture
def feed_url(hotel: Hotel) -> str:
    """Return the URL of the hotel's calendar feed, which contains an access token."""
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="calendar", scopes=["calendar:read"])
    return f"{FEED}?token={secret}"


@pytest.fixture
def read(feed_url: str) -> Callable[..., list[Published]]:
    """Return a function that requests the feed with the given query parameters and returns the events."""

    def read(parameters: str = "") -> list[Published]:
        response = anonymous_client().get(f"{feed_url}{parameters}")
        assert response.status_code == 200, response.content
        return [
            (str(event["SUMMARY"]), f"{event['DTSTART'].dt}", f"{event['DTEND'].dt}")
            for event in parse_events(response.content)
        ]

    return read


def parse_events(content: bytes) -> list[Any]:
    events: list[Any] = icalendar.Calendar.from_ical(content).walk("VEVENT")
    return events


def anonymous_client() -> APIClient:
    return APIClient(SERVER_NAME="alpha.localhost")


def put(api: APIClient, number: str = "R1", **changes: Any) -> None:
    body = {
        "arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "Ana Lima", "room_type": "A",
        "guest_email": "ana@example.com", "guest_phone": "+351 912 345 678",
    }  # fmt: skip
    response = api.put(f"/api/v1/reservations/by-external-id/{number}/", body | changes)
    assert response.status_code < 300, response.json()


def nights(first: int, last: int) -> Nights:
    return Nights(date(2030, 5, first), date(2030, 5, last))


@pytest.fixture
def rooms(in_hotel: Hotel) -> list[Room]:
    """Return two rooms of the type `double`."""
    services.ensure_rooms({"double": 2})
    return list(Room.objects.all())


def test_feed_contains_reservations_without_guest_data(api: APIClient, feed_url: str) -> None:
    put(api, room_type="Größe 👑 " + "x" * 30)
    put(api, "R2", status="cancelled")
    put(api, "R3", arrival="2030-03-01", departure="2030-03-05")  # the guest left more than a month ago
    put(api, "R4", status="inquiry", arrival="2030-05-20", departure="2030-05-21")
    response = anonymous_client().get(feed_url, headers={"Accept": "text/calendar, */*;q=0.1"})
    assert (response.status_code, response["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    for personal in (b"Ana", b"ana@", b"912345", b"912 345", b"R1"):
        assert personal not in response.content
    lines = response.content.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 75
    events = parse_events(response.content)
    assert [f"{event['DTSTART'].dt} {event['DTEND'].dt}" for event in events] == [
        "2030-05-10 2030-05-12", "2030-05-20 2030-05-21"
    ]  # fmt: skip
    assert {str(event["STATUS"]) for event in events} == {"CONFIRMED"}
    assert events[0]["DTSTAMP"].dt.tzinfo is not None


def test_feed_contains_confirmed_stays_live_holds_and_closures_of_each_room(
    api: APIClient, read: Callable[..., list[Published]], rooms: list[Room]
) -> None:
    acquired = api.post(
        "/api/v1/locks/", {"room": rooms[0].id, "check_in": "2030-05-03", "check_out": "2030-05-05"}
    ).json()
    confirmation = {"token": acquired["token"], "fencing_token": acquired["fencing_token"]}
    stay = ("Reserved", "2030-05-03", "2030-05-05")
    assert read() == [("Not available", *stay[1:])]  # the hold is not confirmed yet
    assert api.post(f"/api/v1/locks/{acquired['id']}/confirm/", confirmation).status_code == 200
    services.acquire_hold(rooms=[rooms[0].id], nights=nights(6, 7))
    services.close_room(room=rooms[1].id, nights=nights(8, 9), reason="Ana's room")
    hold, closure = (
        ("Not available", "2030-05-06", "2030-05-07"),
        ("Not available", "2030-05-08", "2030-05-09"),
    )
    assert read() == [stay, hold, closure]
    assert read(f"&room={rooms[0].id}") == [stay, hold]
    assert read(f"&room={rooms[1].id}") == [closure]
    Allocation.objects.filter(status="held").update(expires_at="2020-01-01T00:00Z")
    assert read(f"&room={rooms[0].id}") == [stay]


def test_feed_of_a_room_type_contains_the_nights_on_which_no_room_is_left(
    api: APIClient, read: Callable[..., list[Published]], rooms: list[Room]
) -> None:
    services.close_room(room=rooms[0].id, nights=nights(3, 8), reason="paint")
    assert read("&room_type=double") == []
    services.acquire_hold(rooms=[rooms[1].id], nights=nights(5, 10))
    assert read("&room_type=double") == [("Not available", "2030-05-05", "2030-05-08")]
    # A reservation without an assigned room also needs a room of its room type.
    put(api, room_type="double", arrival="2030-05-09", departure="2030-05-11")
    assert read("&room_type=double") == [
        ("Not available", "2030-05-05", "2030-05-08"), ("Not available", "2030-05-09", "2030-05-10")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ("&rooom=1", 400),
        ("&room=x", 400),
        ("&room_type=", 400),
        ("&room=1&room_type=double", 400),
        ("&room=999", 404),
        ("&room_type=dubble", 404),
    ],
)
def test_feed_request_with_an_invalid_parameter_or_unknown_room_is_rejected(
    feed_url: str, rooms: list[Room], parameters: str, status: int
) -> None:
    assert anonymous_client().get(f"{feed_url}{parameters}").status_code == status


@pytest.mark.django_db(transaction=True)
def test_feed_keeps_event_uids_and_returns_304_if_nothing_changed(api: APIClient, feed_url: str) -> None:
    put(api)
    first = anonymous_client().get(feed_url)
    again = anonymous_client().get(feed_url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    put(api, departure="2030-05-14")
    changed = anonymous_client().get(feed_url, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    before, after = (parse_events(response.content)[0] for response in (first, changed))
    assert before["UID"] == after["UID"]
    assert after["SEQUENCE"] >= before["SEQUENCE"]


def test_calendar_feed_of_one_hotel_can_be_imported_by_another_hotel(
    api: APIClient, feed_url: str, other_hotel: Hotel
) -> None:
    put(api)
    content = anonymous_client().get(feed_url).content.decode()
    with hotel_context(other_hotel):
        _key, secret = api_keys.create(name="in", scopes=["reservations:write"])
    beta = APIClient(SERVER_NAME="beta.localhost")
    beta.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert beta.post(IMPORT, content, content_type="text/calendar").json()["created"] == 1


def test_feed_accepts_only_tokens_whose_only_scope_is_the_feed(
    api: APIClient, feed_url: str, hotel: Hotel
) -> None:
    assert anonymous_client().get(FEED).status_code == 401
    assert anonymous_client().get(f"{feed_url}x").status_code == 401
    assert APIClient(SERVER_NAME="beta.localhost").get(feed_url).status_code == 401
    token = feed_url.partition("token=")[2]
    assert anonymous_client().get(f"/api/v1/reservations/?token={token}").status_code == 401
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="much", scopes=["calendar:read", "reservations:read"])
    response = anonymous_client().get(f"{FEED}?token={secret}")
    assert (response.status_code, response.json()["type"]) == (401, "/problems/unauthenticated")
    client = anonymous_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get(FEED).status_code == 200
