"""Tests of the front desk's pages: new reservations, actions, rooms and dates."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from locks.models import Allocation
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = pytest.mark.django_db
NEW = "/admin/reminders/reservation/add/"
BOARD = "/admin/locks/room/board/"
GUEST = {"adults": 2, "children": 0, "guest_name": "Ana Lima", "guest_email": "ana@example.com",
         "guest_phone": "+34 600 000 000", "language": "es", "country": "España", "source": "Walk-in"}  # fmt: skip


def url(reservation: Reservation, action: str) -> str:
    return f"/admin/reminders/reservation/{reservation.pk}/{action}/"


def messages(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


def test_new_reservation_page_shows_the_free_rooms_by_type(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", 0, 2, rooms[0])
    page = staff.get(NEW)
    [group] = page.context["groups"]
    assert (group.room_type, group.total, [room.number for room in group.free]) == (
        "double", 3, ["102", "103"],
    )  # fmt: skip
    later = staff.get(f"{NEW}?arrival={day(2)}&departure={day(4)}&room={rooms[0]}")
    assert [room.number for room in later.context["groups"][0].free] == ["101", "102", "103"]
    assert f'value="{rooms[0]}" checked' in later.content.decode()


def test_search_for_other_dates_keeps_the_guest_data_and_shows_the_free_rooms(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", 5, 6, rooms[0])
    dates = {"arrival": day(5), "departure": day(6)}
    page = staff.post(NEW, {**GUEST, **dates, "guest_email": "not yet complete", "find": ""})
    text = page.content.decode()
    assert (page.status_code, 'value="Ana Lima"' in text, "fd-error" in text) == (200, True, False)
    assert [room.number for room in page.context["groups"][0].free] == ["102", "103"]
    assert (
        not Reservation.objects.filter(guest_name="Ana Lima", arrival=day(5))
        .exclude(external_id="R1")
        .exists()
    )


def test_walk_in_is_stored_with_the_room_and_checked_in(staff: Client, rooms: list[int], day: Day) -> None:
    dates = {"arrival": day(0), "departure": day(2)}
    page = staff.post(NEW, {**GUEST, **dates, "room": [rooms[1]], "check_in": ""}, follow=True)
    reservation = Reservation.objects.get()
    assert page.redirect_chain == [(f"/admin/reminders/reservation/{reservation.pk}/change/", 302)]
    assert messages(page) == ["Ana Lima has checked in."]
    assert (reservation.status, reservation.source, reservation.stay.room_id) == (  # type: ignore[union-attr]
        "checked_in", "Walk-in", rooms[1],
    )  # fmt: skip
    assert (Allocation.objects.get().reference, reservation.country) == (reservation.external_id, "ESP")


def test_room_that_was_taken_meanwhile_is_reported_and_the_form_is_kept(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", 0, 2, rooms[0])
    dates = {"arrival": day(0), "departure": day(2)}
    page = staff.post(NEW, {**GUEST, **dates, "room": [rooms[0]], "save": ""})
    assert page.status_code == 409
    [message] = messages(page)
    assert message.startswith("Room 101 has a stay from")
    assert message.endswith("Free rooms: 102, 103.")
    assert 'value="Ana Lima"' in page.content.decode()
    assert Reservation.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"guest_name": ""}, "This field is required."),
        ({"country": "Atlantis"}, "Unknown country."),
        ({"departure": "2020-01-01"}, "Enter an arrival date and a later departure date"),
        ({"room": []}, "Choose a room."),
        ({"room": ["99999999999999"]}, "Choose a room."),
    ],
)
def test_incomplete_form_shows_what_is_missing(
    staff: Client, rooms: list[int], day: Day, change: dict[str, Any], text: str
) -> None:
    values = {**GUEST, "arrival": day(0), "departure": day(1), "room": [rooms[0]], "save": "", **change}
    page = staff.post(NEW, values)
    assert page.status_code == 422
    assert text in page.content.decode()
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(
    ("arrival", "is_roomed", "main"),
    [
        (0, True, "check_in"),
        (0, False, "assign_room"),
        (3, True, None),
        (3, False, "assign_room"),
        (-5, True, "no_show"),
    ],
)
def test_main_button_of_a_booked_reservation_is_the_next_step_or_missing(
    *,
    staff: Client,
    book: BookRoom,
    book_room: BookRoom,
    rooms: list[int],
    day: Day,
    arrival: int,
    is_roomed: bool,
    main: str | None,
) -> None:
    if is_roomed:
        reservation = book_room("R1", arrival, arrival + 2, rooms[0])
    else:
        reservation = book("R1", day(arrival).isoformat(), day(arrival + 2).isoformat())
    actions = staff.get(url(reservation, "change")).context["actions"]
    assert [action.name for action in actions if action.is_main] == ([main] if main else [])
    assert actions


def test_buttons_on_the_page_of_a_reservation_check_in_and_out(
    staff: Client, book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0], guest_name="Eva Sanz")
    change = url(reservation, "change")
    assert [action.name for action in staff.get(change).context["actions"]] == [
        "check_in", "move", "dates", "no_show", "cancel",
    ]  # fmt: skip
    assert messages(staff.post(url(reservation, "check-in"), follow=True)) == ["Eva Sanz has checked in."]
    second_click = staff.post(url(reservation, "check-in"), follow=True)
    assert messages(second_click) == ["The guest has already checked in."]
    assert [action.name for action in staff.get(change).context["actions"]] == [
        "check_out", "move", "dates", "reinstate",
    ]  # fmt: skip
    confirmation = staff.get(f"{url(reservation, 'check-out')}?next={BOARD}")
    assert "The remaining nights become free immediately" in confirmation.content.decode()
    done = staff.post(url(reservation, "check-out"), {"next": BOARD}, follow=True)
    assert done.redirect_chain == [(BOARD, 302)]
    assert messages(done) == ["Eva Sanz has checked out."]
    assert staff.get(change).context["actions"] == []


def test_action_does_not_redirect_to_another_host(
    staff: Client, book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        page = staff.post(url(reservation, "check-in"), {"next": target})
        assert page.headers["Location"] == url(reservation, "change")


def test_confirmation_page_changes_nothing(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    for action in ("check-in", "no-show", "cancel", "move", "dates"):
        assert staff.get(url(reservation, action)).status_code == 200
    reservation.refresh_from_db()
    assert (reservation.status, occupied(day)) == ("booked", [("101", 0, 2, "R1")])


def test_guest_moves_to_a_room_that_the_page_offers(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    page = staff.get(url(reservation, "move"))
    assert [room.number for room in page.context["groups"][0].free] == ["102", "103"]
    form = {"stay": reservation.stay_id, "room": rooms[2], "version": reservation.version}
    assert messages(staff.post(url(reservation, "move"), form, follow=True)) == [
        "Ana Lima was moved to another room."
    ]
    assert occupied(day) == [("103", 0, 2, "R1")]
    outdated = staff.post(url(reservation, "move"), {**form, "room": rooms[1]})
    assert messages(outdated) == [
        "The reservation was changed in the meantime. Check its current data and try again."
    ]
    assert occupied(day) == [("103", 0, 2, "R1")]


def test_room_assignment_and_check_in_of_a_reservation_take_place_on_one_page(
    staff: Client, book: Any, rooms: list[int], day: Day
) -> None:
    reservation = book("R1", day(0).isoformat(), day(1).isoformat())
    actions = staff.get(url(reservation, "change")).context["actions"]
    assert (actions[0].name, actions[0].is_main) == ("assign_room", True)
    form = {"room": rooms[0], "check_in": "", "version": reservation.version}
    assert messages(staff.post(url(reservation, "assign-room"), form, follow=True)) == [
        "Ana Lima has checked in."
    ]
    assert occupied(day) == [("101", 0, 1, "R1")]


def test_dates_of_a_reservation_can_be_changed_and_a_conflict_keeps_the_form(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 1, rooms[0])
    book_room("R2", 2, 3, rooms[0])
    form = {"arrival": day(0), "departure": day(3), "version": reservation.version}
    refused = staff.post(url(reservation, "dates"), form)
    assert "Room 101 has a stay" in messages(refused)[0]
    assert f'value="{day(3)}"' in refused.content.decode()
    longer = staff.post(url(reservation, "dates"), {**form, "departure": day(2)}, follow=True)
    assert messages(longer) == ["The dates were changed."]
    assert occupied(day) == [("101", 0, 2, "R1"), ("101", 2, 3, "R2")]


def test_form_for_the_dates_has_labels_in_the_language_of_the_user(
    staff: Client, hotel: Hotel, book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", 0, 1, rooms[0])
    with hotel_context(hotel):
        User.objects.update(language="es")
    content = staff.get(url(reservation, "dates")).content.decode()
    assert '<label for="id_arrival">Llegada' in content
    assert '<label for="id_departure">Salida' in content


def test_board_panel_shows_the_guest_with_the_actions_and_is_recorded_as_a_read(
    staff: Client, hotel: Hotel, book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0], guest_name="Eva Sanz")
    assert f'data-panel="{url(reservation, "panel")}"' in staff.get(BOARD).content.decode()
    panel = staff.get(f"{url(reservation, 'panel')}?next={BOARD}?nights=14")
    text = panel.content.decode()
    assert "Eva Sanz" in text
    assert f'action="{url(reservation, "check-in")}"' in text
    assert f'name="next" value="{BOARD}?nights=14"' in text
    read = Event.objects.filter(event="personal_data.read").latest("id")
    assert (read.subject_kind, read.subject_id) == ("reservation", str(reservation.id))


def test_board_shows_the_guest_on_the_nights_before_the_move_too(
    staff: Client, book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", -2, 2, rooms[0], guest_name="Eva Sanz")
    staff.post(url(reservation, "check-in"))
    form = {"stay": reservation.stay_id, "room": rooms[1]}
    staff.post(url(reservation, "move"), form)
    board = staff.get(f"{BOARD}?first={(reservation.arrival - timedelta(days=1)).isoformat()}")
    assert board.content.decode().count('data-guest="Eva Sanz"') == 2


@pytest.mark.parametrize("missing", ["reservations:write", "locks:write"])
def test_front_desk_pages_require_their_scopes(
    staff: Client,
    book_room: BookRoom,
    rooms: list[int],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    pages = {
        "reservations:write": [NEW, *(url(reservation, a) for a in ("check-in", "check-out", "no-show",
                               "cancel", "reinstate", "move", "assign-room", "dates"))],
        "locks:write": [NEW, *(url(reservation, a) for a in ("move", "assign-room", "dates"))],
    }[missing]  # fmt: skip
    assert {staff.get(page).status_code for page in pages} == {200}  # with all scopes, all pages open
    scopes = User.objects.get(role="manager").scopes - {missing}
    monkeypatch.setattr(User, "scopes", scopes)
    assert {staff.get(page).status_code for page in pages} == {403}
    assert {staff.post(page).status_code for page in pages} == {403}
    names = {action.name for action in staff.get(url(reservation, "change")).context["actions"]}
    assert names == (set() if missing == "reservations:write" else {"check_in", "no_show", "cancel"})
    reservation.refresh_from_db()
    assert reservation.status == "booked"
