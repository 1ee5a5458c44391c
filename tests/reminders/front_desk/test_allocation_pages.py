"""Tests of the admin pages of holds and stays, which show guests, and statuses in the words of the front desk."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from locks import services
from locks.models import Allocation
from locks.nights import Nights
from reminders.front_desk.arrivals import check_in
from tenants.models import User
from tests.reminders.front_desk.conftest import BookRoom, Day

pytestmark = pytest.mark.django_db
LIST = "/admin/locks/allocation/"


def states(client: Client, query: str = "") -> list[tuple[str, str, str]]:
    """Return the guest, the room and the state of each row of the list."""
    page = client.get(LIST + query).content.decode()
    texts = re.findall(r'class="field-(guest|room|state)[^"]*"[^>]*>(.*?)</t[dh]>', page, re.DOTALL)
    values = [re.sub(r"<[^>]*>|\s+", " ", text).strip() for _name, text in texts]
    return list(zip(values[0::3], values[1::3], values[2::3], strict=True))


@pytest.fixture
def some_allocations(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    """Store a guest in house, an expected guest, a hold, a closure and an earlier stay."""
    check_in(reservation_id=book_room("R1", 0, 2, rooms[0], guest_name="Eva Sanz", source="Airbnb").id)
    book_room("R2", 2, 3, rooms[0], guest_name="Ana Lima")
    services.acquire_hold(rooms=rooms[1:2], nights=Nights(day(0), day(1)), reference="Walk-in")
    services.close_room(room=rooms[2], nights=Nights(day(0), day(1)), reason="paint")
    services.add_stays([services.NewStay(rooms[1], day(-4), day(-2), reference="old")])


@pytest.mark.usefixtures("some_allocations")
def test_list_shows_guests_and_states_of_today_and_the_coming_days(staff: Client) -> None:
    assert sorted(states(staff)) == [
        ("-", "103", "Out of service"),
        ("Ana Lima", "101", "Booked"),
        ("Eva Sanz", "101", "In house"),
        ("Walk-in", "102", "Held for 20 more minutes"),
    ]
    assert ("old", "102", "Stay") in states(staff, "?view=all")
    Allocation.objects.filter(status="held").update(expires_at="2020-01-01T00:00:00Z")
    assert ("Walk-in", "102", "Hold expired") in states(staff, "?view=all")
    assert "Walk-in" not in str(states(staff))


@pytest.mark.usefixtures("some_allocations")
def test_guests_are_recorded_as_read_and_hidden_without_the_scope(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay = Allocation.objects.get(reservation__external_id="R1")
    page = staff.get(f"{LIST}{stay.pk}/change/").content.decode()
    assert "Eva Sanz" in page
    assert "Airbnb" in page
    assert ">system:<" not in re.sub(r"\s+", "", page)
    read = Event.objects.filter(event="personal_data.read").latest("id")
    assert (read.subject_kind, read.subject_id) == ("stay", str(stay.pk))
    scopes = User.objects.get(role="manager").scopes - {"reservations:read"}
    monkeypatch.setattr(User, "scopes", scopes)
    before = Event.objects.filter(event="personal_data.read").count()
    assert "Eva Sanz" not in staff.get(f"{LIST}{stay.pk}/change/").content.decode()
    assert "Eva Sanz" not in staff.get(LIST).content.decode()
    assert Event.objects.filter(event="personal_data.read").count() == before


def test_list_of_guests_takes_the_same_number_of_queries_for_any_number_of_stays(
    staff: Client, book_room: BookRoom, rooms: list[int]
) -> None:
    counts = []
    for number in range(1, 4):
        for offset in range(3):
            book_room(f"R{number}-{offset}", 3 * number + offset, 3 * number + offset + 1, rooms[0])
        with CaptureQueriesContext(connection) as queries:
            staff.get(LIST)
        counts.append(len(queries))
    assert counts[1] == counts[2]
