"""Tests of saved searches: a member of staff saves filters under a name, and only this person sees the search."""

import pytest
from django.test import Client

from audit.erasure import erase_guest
from audit.models import Event
from audit.reading import saved_searches
from audit.reading.models import SavedSearch
from audit.reading.saved_searches import InvalidSavedSearch, save_search, searches_of
from audit.registry import EventType
from audit.services import record
from hotelagent.core.ids import uuid7
from tenants.context import Actor, hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tenants.services.staff import erase_staff
from tests.audit.test_admin import LIST, client_with_role

pytestmark = pytest.mark.django_db

SAVE = f"{LIST}searches/"
QUERY = "event=lamp.lit&text=red"


def user_of(client: Client, hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.get(pk=client.session["_auth_user_id"])


def test_saved_search_can_be_opened_from_the_list_and_deleted(
    staff: Client, hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        record(lamp_lit, subject=("lamp", 1), colour="red")
        record(lamp_lit, subject=("lamp", 2), colour="blue")
    assert "Save these filters" not in staff.get(LIST).content.decode()
    assert "Save these filters" in staff.get(f"{LIST}?{QUERY}").content.decode()
    saved = staff.post(SAVE, {"name": " Red  lamps ", "query": QUERY}, follow=True)
    assert "The search “Red lamps” was saved." in saved.content.decode()
    with hotel_context(hotel):
        [search] = searches_of(user_of(staff, hotel).pk)
    page = staff.get(LIST).content.decode()
    assert f'<a href="?{QUERY.replace("&", "&amp;")}">Red lamps</a>' in page
    opened = staff.get(f"{LIST}?{search.query}").content.decode()
    assert "lit lamp 1 in red" in opened
    assert "lit lamp 2 in blue" not in opened
    assert "Save these filters" not in opened
    staff.post(f"{SAVE}{search.pk}/delete/", {"query": ""})
    assert "Red lamps</a>" not in staff.get(LIST).content.decode()
    with hotel_context(hotel):
        deleted, saved_event = Event.objects.filter(event__startswith="audit.search_")
    assert (saved_event.event, saved_event.fields) == (
        "audit.search_saved",
        {"filters": ["event", "text"]},
    )
    assert (deleted.event, deleted.fields) == ("audit.search_deleted", {})


def test_saved_search_is_visible_to_its_owner_only(staff: Client, hotel: Hotel) -> None:
    auditor = client_with_role(Role.AUDITOR, hotel)
    auditor.post(SAVE, {"name": "Red lamps", "query": QUERY})
    assert "Red lamps</a>" in auditor.get(LIST).content.decode()
    assert "Red lamps</a>" not in staff.get(LIST).content.decode()
    with hotel_context(hotel):
        [search] = SavedSearch.objects.all()
    staff.post(f"{SAVE}{search.pk}/delete/")
    with hotel_context(hotel):
        assert SavedSearch.objects.count() == 1


def test_saved_search_of_another_hotel_is_not_visible_even_to_raw_sql(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    for saved_in in (hotel, other_hotel):
        with hotel_context(saved_in):
            save_search(user_id=uuid7(), name="Red lamps", query=QUERY)
    with hotel_context(hotel):
        assert [row.hotel_id for row in SavedSearch.objects.raw("SELECT * FROM audit_savedsearch")] == [
            hotel.pk
        ]
    with platform_context():
        assert len(list(SavedSearch.objects.raw("SELECT * FROM audit_savedsearch"))) == 2


def test_saving_or_deleting_a_search_requires_post_and_permission_to_read_the_trail(
    staff: Client, hotel: Hotel
) -> None:
    desk = client_with_role(Role.FRONT_DESK, hotel)
    assert desk.post(SAVE, {"name": "Red lamps", "query": QUERY}).status_code == 403
    assert desk.post(f"{SAVE}{uuid7()}/delete/").status_code == 403
    assert staff.get(SAVE).status_code == 405
    assert staff.post(f"{SAVE}{uuid7()}/delete/").status_code == 302
    with hotel_context(hotel):
        assert not SavedSearch.objects.exists()


def test_saved_search_contains_only_filters_of_the_event_list(staff: Client, hotel: Hotel) -> None:
    staff.post(
        SAVE, {"name": "Red lamps", "query": f"p=3&next=//evil.example&{QUERY}&o=1&at_from_0=2030-05-01"}
    )
    with hotel_context(hotel):
        [search] = SavedSearch.objects.all()
    assert search.query == "at_from_0=2030-05-01&event=lamp.lit&text=red"


def test_search_saved_under_an_existing_name_replaces_the_search_with_this_name(in_hotel: Hotel) -> None:
    person = uuid7()
    save_search(user_id=person, name="Lamps", query="text=red")
    save_search(user_id=person, name="Lamps", query="text=blue")
    save_search(user_id=uuid7(), name="Lamps", query="text=green")
    assert [search.query for search in searches_of(person)] == ["text=blue"]


@pytest.mark.parametrize(
    ("name", "query"), [("  ", QUERY), ("n" * 81, QUERY), ("Lamps", ""), ("Lamps", "text=" + "x" * 2000)]
)
def test_search_whose_name_or_filters_are_missing_or_too_long_is_refused(
    in_hotel: Hotel, name: str, query: str
) -> None:
    with pytest.raises(InvalidSavedSearch):
        save_search(user_id=uuid7(), name=name, query=query)
    assert not SavedSearch.objects.exists()


def test_person_with_too_many_searches_cannot_save_another(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_searches, "MAX_SEARCHES", 2)
    person = uuid7()
    for name in ("first", "second", "second"):
        save_search(user_id=person, name=name, query=QUERY)
    with pytest.raises(InvalidSavedSearch, match="Delete one"):
        save_search(user_id=person, name="third", query=QUERY)


def test_error_of_a_search_that_cannot_be_saved_is_shown(staff: Client) -> None:
    answer = staff.post(SAVE, {"name": "", "query": QUERY}, follow=True).content.decode()
    assert "Enter a name" in answer


def test_erasure_of_a_guest_deletes_the_searches_for_the_guest(in_hotel: Hotel) -> None:
    person = uuid7()
    save_search(user_id=person, name="Guest", query="text=ana%40example.com")
    save_search(user_id=person, name="About ana@example.com", query="text=red")
    save_search(user_id=person, name="Lamps", query="text=red")
    erase_guest(lambda texts: any("ana@example.com" in text for text in texts))
    assert [search.name for search in searches_of(person)] == ["Lamps"]


def test_erasure_of_a_member_of_staff_deletes_their_searches_and_the_searches_for_their_name(
    in_hotel: Hotel,
) -> None:
    ana = User.objects.create_user(username="ana", password=None, role=Role.AUDITOR)
    other = uuid7()
    save_search(user_id=ana.pk, name="Lamps", query="text=red")
    save_search(user_id=other, name="Colleague", query="text=ana")
    save_search(user_id=other, name="Lamps", query="text=banana")
    erase_staff(user_id=ana.pk)
    assert [search.name for search in SavedSearch.objects.all()] == ["Lamps"]
    assert [search.name for search in searches_of(other)] == ["Lamps"]
