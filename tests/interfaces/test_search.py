"""Tests of the search of the admin: sources, permissions, the audit trail, and the dialog in the browser."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect

from audit.models import Event
from locks import services as rooms
from locks.models import Room
from locks.nights import Nights
from locks.selectors import today
from locks.services import NewStay
from reminders.models import Reservation, ReservationStatus
from reminders.models.search_terms import MatchesSearch, SearchTerms
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tests.browser import PHONE, OpenPage, screenshot

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TERMS = SearchTerms("guest_name", "external_id", "guest_email", "guest_phone")


def book(number: str, name: str = "", **fields: object) -> Reservation:
    dates = {"arrival": today() + 3 * DAY, "departure": today() + 5 * DAY}
    return Reservation.objects.create(external_id=number, guest_name=name, **{**dates, **fields})


def found(text: str) -> set[str]:
    matching = Reservation.objects.filter(MatchesSearch(TERMS, text))
    return set(matching.values_list("external_id", flat=True))


def groups_of(browser: Client, text: str) -> dict[str, list[str]]:
    """Search for the text and return the titles of the results by the title of their group."""
    response = browser.get("/admin/search/", {"q": text})
    assert response.status_code == 200
    return {
        str(group.title): [result.title for result in group.results] for group in response.context["groups"]
    }


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("garcia", {"A1", "A2"}),
        ("GARCÍA", {"A1", "A2"}),
        ("gar jos", {"A1"}),
        ("José García", {"A1"}),
        ("arcia", set()),
        ("garcia perez", set()),
        ("sorensen", {"A3"}),
        ("O'Neill", {"A4"}),
        ("neill", {"A4"}),
        ("мари", {"A5"}),
        ("МАРИЯ", {"A5"}),
        ("A1", {"A1"}),
        ("bk-2041", {"BK-2041/7"}),
        ("2041", {"BK-2041/7"}),
        ("jose@example.org", {"A1"}),
        ("example.org", {"A1", "A2"}),
        ("!!", set()),
        ("&|:* '", set()),
        ("gar:* | x", set()),
    ],
)
def test_search_finds_beginnings_of_words_without_regard_to_case_and_accents(
    in_hotel: Hotel, text: str, numbers: set[str]
) -> None:
    book("A1", "José García", guest_email="Jose@example.org")
    book("A2", "Ana Garcia-Lopez", guest_email="ana@example.org")
    book("A3", "Søren Sørensen")
    book("A4", "Eoin O'Neill")
    book("A5", "Мария Иванова")
    book("BK-2041/7", "Nobody")
    assert found(text) == numbers


@pytest.mark.parametrize(
    "text",
    ["+34612345678", "+34 612 34 56 78", "0034 612-345-678", "612 345 678", "(612) 345678", "5678", "+34612"],
)
def test_search_finds_a_phone_number_in_any_format(in_hotel: Hotel, text: str) -> None:
    book("A1", "Ana", guest_phone="+34612345678")
    book("A2", "Luis", guest_phone="+34699999999")
    assert found(text) == {"A1"}


def test_phone_number_with_a_trunk_zero_is_found(in_hotel: Hotel) -> None:
    book("A1", "Ana", guest_phone="+442079460958")
    assert found("+44 (0)20 7946 0958") == found("020 7946 0958") == {"A1"}
    assert found("020 7946 0959") == found("958") == set()


def test_results_are_grouped_and_current_stays_come_before_past_stays(staff: Client, in_hotel: Hotel) -> None:
    book("P1", "Ana Past", arrival=today() - 9 * DAY, departure=today() - 8 * DAY)
    book("F1", "Ana Far", arrival=today() + 90 * DAY, departure=today() + 91 * DAY)
    book("N1", "Ana Near")
    assert groups_of(staff, "ana") == {"Reservations": ["Ana Near", "Ana Far", "Ana Past"]}


def test_room_number_finds_the_room_and_its_guests_of_today(staff: Client, in_hotel: Hotel) -> None:
    room = Room.objects.create(number="204", room_type="Double")
    result = rooms.add_stays([NewStay(room=room.id, check_in=today() - DAY, check_out=today() + DAY)])
    book("A1", "Ana Lima", arrival=today() - DAY, departure=today() + DAY, stay_id=result.added[0].id)
    book("A2", "Luis", arrival=today() - DAY, departure=today() + DAY)
    assert groups_of(staff, "204") == {"Guests in room 204": ["Ana Lima"], "Rooms": ["204"]}


def test_id_of_a_hold_finds_the_hold(staff: Client, in_hotel: Hotel) -> None:
    room = Room.objects.create(number="204", room_type="Double")
    hold = rooms.acquire_hold(rooms=[room.id], nights=Nights(today(), today() + DAY))
    for text in (str(hold.id), str(hold.id).upper(), hold.id.hex, str(hold.id)[:13]):
        assert groups_of(staff, text) == {"Holds and stays": ["Room 204"]}
    other = str(hold.id)[:-1] + ("0" if str(hold.id)[-1] != "0" else "1")
    assert groups_of(staff, other) == {}


def test_pages_of_the_menu_are_found(staff: Client) -> None:
    assert groups_of(staff, "templ") == {"Pages": ["Rules", "Templates", "E-mail branding", "Reply address"]}


def test_group_contains_at_most_eight_results_and_says_that_there_are_more(
    staff: Client, in_hotel: Hotel
) -> None:
    for number in range(9):
        book(f"R{number}", f"Ana {number}")
    assert len(groups_of(staff, "ana")["Reservations"]) == 8
    assert b"There are more results." in staff.get("/admin/search/?q=ana").content
    Reservation.objects.filter(external_id="R0").delete()
    assert b"There are more results." not in staff.get("/admin/search/?q=ana").content


def test_search_returns_only_what_the_scopes_of_the_user_allow(staff: Client, in_hotel: Hotel) -> None:
    Room.objects.create(number="204", room_type="Double")
    book("204-A", "Ana")
    assert set(groups_of(staff, "204")) == {"Reservations", "Rooms"}
    User.objects.update(role="unknown")  # An unknown role has no scopes.
    assert groups_of(staff, "204") == {}
    assert Client(SERVER_NAME="alpha.localhost").get("/admin/search/?q=204").status_code == 302


def test_search_of_the_platform_finds_hotels_and_no_guests(operator: Client, in_hotel: Hotel) -> None:
    book("A1", "Hotel Guest")
    assert groups_of(operator, "hotel al") == {"Hotels": ["Hotel Alpha"]}


def test_search_of_a_hotel_does_not_find_guests_of_another_hotel(
    staff: Client, other_hotel: Hotel, in_hotel: Hotel
) -> None:
    with hotel_context(other_hotel):
        book("B1", "Ana Beta")
    book("A1", "Ana Alpha")
    assert groups_of(staff, "ana") == {"Reservations": ["Ana Alpha"]}


def test_found_reservations_are_recorded_as_read(staff: Client, in_hotel: Hotel) -> None:
    reservation = book("A1", "Ana")
    staff.get("/admin/search/?q=nobody")
    assert not Event.objects.filter(event="personal_data.read").exists()
    staff.get("/admin/search/?q=ana")
    event = Event.objects.get(event="personal_data.read")
    assert (event.subject_id, event.data["route"]) == (str(reservation.id), "admin:search")


def test_short_text_is_not_searched(staff: Client, in_hotel: Hotel) -> None:
    book("A1", "Ana")
    assert groups_of(staff, "a") == groups_of(staff, " a ") == groups_of(staff, "") == {}
    assert groups_of(staff, "an")["Reservations"] == ["Ana"]


def test_search_for_a_name_uses_the_index_of_the_search(in_hotel: Hotel) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # PostgreSQL would scan the empty table instead.
    plan = Reservation.objects.filter(MatchesSearch(TERMS, "guest2999")).explain()
    assert "reminders_reservation_search" in plan
    # For comparison, PostgreSQL cannot use the index for a search with another expression.
    other_terms = SearchTerms("external_id", "guest_name", "guest_email", "guest_phone")
    assert "Seq Scan" in Reservation.objects.filter(MatchesSearch(other_terms, "guest2999")).explain()


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
class TestInBrowser:
    @pytest.fixture
    def guests(self, in_hotel: Hotel) -> None:
        Room.objects.create(number="204", room_type="Double")
        for number, name in enumerate(("Ana Lima", "Ana Sánchez", "Mariana Costa")):
            book(f"2040{number}", name, guest_phone=f"+3461234567{number}", status=ReservationStatus.BOOKED)

    def search(self, page: Page, text: str) -> None:
        page.keyboard.press("Control+k")
        expect(page.locator("#ha-search input")).to_be_focused()
        page.keyboard.type(text)
        expect(page.locator("#ha-search [role=option]").first).to_be_visible()

    def test_search_with_the_keyboard_opens_the_selected_result(
        self, guests: None, open_as_manager: OpenPage
    ) -> None:
        with open_as_manager("/admin/tenants/user/") as page:
            self.search(page, "ana")
            field, options = page.locator("#ha-search input"), page.locator("#ha-search [role=option]")
            expect(options).to_have_count(2)
            expect(page.locator("#ha-search [role=status]")).to_have_text("2 results")
            expect(field).to_have_attribute("aria-expanded", "true")
            screenshot(page, "search")
            page.keyboard.press("ArrowDown")
            expect(options.nth(1)).to_have_attribute("aria-selected", "true")
            expect(options.nth(0)).to_have_attribute("aria-selected", "false")
            expect(field).to_have_attribute("aria-activedescendant", str(options.nth(1).get_attribute("id")))
            page.keyboard.press("Enter")
            page.wait_for_url(re.compile("/admin/reminders/reservation/.*/change/"))
            expect(page.locator("[name=guest_name]")).to_have_value("Ana Sánchez")

    def test_escape_closes_the_search_and_no_results_are_announced(
        self, guests: None, open_as_manager: OpenPage
    ) -> None:
        with open_as_manager("/admin/") as page:
            self.search(page, "204")
            page.fill("#ha-search input", "zzzz")
            expect(page.locator("#ha-search [role=status]")).to_have_text("No results.")
            expect(page.locator("#ha-search input")).to_have_attribute("aria-expanded", "false")
            page.keyboard.press("Escape")
            expect(page.locator("#ha-search")).not_to_be_visible()

    @pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
    def test_search_can_be_used_by_touch_on_a_phone(
        self, guests: None, open_as_manager: OpenPage, locale: str
    ) -> None:
        with open_as_manager("/admin/", locale=locale, has_touch=True, **PHONE) as page:
            page.locator("[data-search-open]").tap()
            page.fill("#ha-search input", "204")
            expect(page.locator("#ha-search [role=option]").first).to_be_visible()
            screenshot(page, f"search-phone-{locale}")
            page.locator("#ha-search [role=option]").first.tap()
            page.wait_for_url(re.compile("/admin/reminders/reservation/.*/change/"))
