"""Tests of the views of the list of reservations, of empty lists, and of the choice of languages."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from locks.selectors import today
from reminders.models import Reservation, Rule
from reminders.reservations.services import cancel_reservation
from tenants.models import User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]
LIST = "/admin/reminders/reservation/"


@pytest.fixture
def stays(book: Book) -> None:
    """Store a past stay, a stay that ends today, a coming stay and a cancelled coming stay."""
    day = today()
    book("PAST", f"{day - timedelta(days=3)}", f"{day - timedelta(days=1)}", guest_name="Eva Past")
    book("LEAVES", f"{day - timedelta(days=3)}", f"{day}")
    book("COMES", f"{day + timedelta(days=30)}", f"{day + timedelta(days=31)}")
    cancelled = book("OFF", f"{day + timedelta(days=1)}", f"{day + timedelta(days=2)}")
    cancel_reservation(reservation_id=cancelled.id)


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", ["LEAVES", "COMES"]),
        ("?view=coming", ["LEAVES", "COMES"]),
        ("?view=nonsense", ["LEAVES", "COMES"]),
        ("?view=past", ["PAST"]),
        ("?view=cancelled", ["OFF"]),
        ("?view=all", ["LEAVES", "OFF", "COMES", "PAST"]),
        ("?q=past", ["PAST"]),
        ("?status__exact=cancelled", ["OFF"]),
        ("?view=coming&status__exact=cancelled", ["OFF"]),
        ("?p=1", ["LEAVES", "COMES"]),
    ],
)
def test_reservation_list_contains_the_reservations_of_the_selected_view(
    staff: Client, stays: None, query: str, listed: list[str]
) -> None:
    response = staff.get(LIST + query)
    assert [reservation.external_id for reservation in response.context["cl"].result_list] == listed


def test_tabs_of_the_reservation_list_mark_the_selected_view(staff: Client, stays: None) -> None:
    content = staff.get(LIST).content.decode()
    assert '<a href="?view=coming" aria-current="page">Today and coming days</a>' in content
    assert content.count('aria-current="page"') == 1
    # The filter form keeps the view, so a filter by arrival date does not switch to another view.
    assert '<input type="hidden" name="view" value="coming">' in content


def test_page_of_a_cancelled_reservation_is_read_only(staff: Client, book: Book) -> None:
    booked = book("R1", "2030-05-10", "2030-05-12")
    url = f"{LIST}{booked.id}/change/"
    guest = {"guest_name": "Eva", "guest_email": "eva@example.com", "guest_phone": "", "language": ""}
    editable = staff.get(url).content.decode()
    assert 'name="guest_email"' in editable
    assert 'name="_save"' in editable
    assert staff.post(url, guest).status_code == 302
    cancel_reservation(reservation_id=booked.id)
    read_only = staff.get(url).content.decode()
    assert 'name="guest_email"' not in read_only
    assert 'name="_save"' not in read_only
    response = staff.post(url, {**guest, "guest_name": "Somebody else"}, follow=True)
    assert "The reservation is cancelled, so it can't be changed." in unescape(response.content.decode())
    booked.refresh_from_db()
    assert booked.guest_name == "Eva"


def test_language_of_a_guest_is_chosen_by_the_name_that_its_speakers_use(staff: Client, book: Book) -> None:
    booked = book("R1", "2030-05-10", "2030-05-12", language="es-pe")
    url = f"{LIST}{booked.id}/change/"
    content = staff.get(url).content.decode()
    assert '<option value="de">Deutsch</option>' in content
    assert '<option value="es-pe" selected>Español (es-pe)</option>' in content
    guest = {"guest_name": "Ana", "guest_email": "", "guest_phone": "", "language": "es-pe"}
    assert staff.post(url, guest).status_code == 302  # the choices include the stored language
    assert staff.post(url, {**guest, "language": "ja"}).status_code == 302
    booked.refresh_from_db()
    assert booked.language == "ja"
    assert staff.post(url, {**guest, "language": "klingon"}).status_code == 200
    booked.refresh_from_db()
    assert booked.language == "ja"


def test_account_form_shows_the_name_of_a_language_in_that_language(staff: Client, in_hotel: object) -> None:
    content = staff.get(f"/admin/tenants/user/{User.objects.get().pk}/change/").content.decode()
    assert '<option value="es">Español</option>' in content
    assert "The browser&#x27;s language" in content


def test_empty_reservation_list_leads_to_the_import(staff: Client, in_hotel: object) -> None:
    content = staff.get(LIST).content.decode()
    assert "There are no reservations yet." in content
    assert 'href="/admin/reminders/reservationimport/"' in _results(content)
    assert 'href="/admin/reminders/linkedcalendar/add/"' in _results(content)
    User.objects.update(role=Role.AUDITOR)  # For comparison, an auditor cannot import.
    assert 'href="/admin/reminders/reservationimport/"' not in _results(staff.get(LIST).content.decode())


def test_empty_view_of_the_reservation_list_leads_to_all_reservations(staff: Client, book: Book) -> None:
    book("PAST", "2020-05-10", "2020-05-12")
    content = staff.get(LIST).content.decode()
    assert "There are no reservations in this view." in content
    assert f'href="{LIST}?view=all"' in _results(content)
    searched = staff.get(f"{LIST}?q=zzz").content.decode()
    assert "No results match your search and filters." in searched


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reminder", "There are no reminders yet."),
        ("linkedcalendar", "No calendar is linked yet."),
        ("template", "There are no templates yet."),
        ("rule", "There are no rules yet."),
        ("suppression", "No address is on the list."),
    ],
)
def test_empty_list_shows_the_next_step(staff: Client, in_hotel: object, path: str, text: str) -> None:
    Rule.objects.all().delete()
    assert text in staff.get(f"/admin/reminders/{path}/").content.decode()


def _results(content: str) -> str:
    """Return the part of the page below the search field, without the menu."""
    return content.partition('id="changelist-form"')[2]
