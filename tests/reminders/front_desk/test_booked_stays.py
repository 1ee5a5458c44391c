"""Tests of operations on single stays over REST: a stay and its reservation never contradict each other."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks import services
from locks.errors import HoldStateError, StayBelongsToReservation
from locks.models import Allocation
from locks.nights import Nights
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import WebhookDelivery
from locks.webhooks.services import create_webhook
from reminders.errors import InvalidReservation
from reminders.front_desk.arrivals import check_in
from reminders.models import Reminder, Reservation
from reminders.reservations.services import upsert_reservation
from reminders.reservations.stays import HoldReference
from tenants.models import Hotel
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied
from tests.threads import call_at_the_same_time

pytestmark = pytest.mark.django_db
ROUNDS = 5


def post(client: Client | APIClient, stay: Any, operation: str, **body: Any) -> Any:
    url = f"/api/v1/locks/{stay}/{operation}/"
    if isinstance(client, APIClient):
        return client.post(url, body)
    return client.post(url, body, content_type="application/json")


def move(staff: Client, stay: Any, room: int, check_in: date, check_out: date) -> Any:
    return post(
        staff, stay, "move", room=room, check_in=check_in.isoformat(), check_out=check_out.isoformat()
    )


def test_moved_stay_gives_its_reservation_the_new_dates_reminders_and_version(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 20, 22, rooms[0])
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    assert move(staff, reservation.stay_id, rooms[1], day(30), day(33)).status_code == 200
    stored = Reservation.objects.get()
    assert (stored.arrival, stored.departure) == (day(30), day(33))
    assert stored.version != reservation.version
    assert occupied(day) == [("102", 30, 33, "R1")]
    assert set(Reminder.objects.filter(status="scheduled").values_list("arrival", flat=True)) == {day(30)}
    assert list(WebhookDelivery.objects.values_list("event", flat=True)) == ["stay.moved"]


def test_move_to_another_room_keeps_the_dates_of_the_reservation_and_changes_its_version(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 2, 4, rooms[0])
    move(staff, reservation.stay_id, rooms[1], day(2), day(4))
    stored = Reservation.objects.get()
    assert (stored.arrival, stored.departure) == (day(2), day(4))
    assert stored.version != reservation.version


def test_guest_in_house_who_moves_and_stays_longer_keeps_the_past_nights_in_the_old_room(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -2, 1, rooms[0])
    check_in(reservation_id=reservation.id)
    moved = move(staff, reservation.stay_id, rooms[1], day(-2), day(3))
    assert (moved.status_code, moved.json()["check_in"]) == (200, day(0).isoformat())
    assert occupied(day) == [("101", -2, 0, "R1"), ("102", 0, 3, "R1")]
    stored = Reservation.objects.get()
    assert (stored.arrival, stored.departure, stored.status) == (day(-2), day(3), "checked_in")
    refused = move(staff, reservation.stay_id, rooms[1], day(1), day(3))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-reservation")


def test_move_that_a_room_refuses_changes_neither_the_stay_nor_the_reservation(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 2, 4, rooms[0])
    book_room("R2", 5, 6, rooms[1])
    refused = move(staff, reservation.stay_id, rooms[1], day(4), day(7))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/room-unavailable")
    assert occupied(day) == [("101", 2, 4, "R1"), ("102", 5, 6, "R2")]
    assert Reservation.objects.get(external_id="R1").version == reservation.version


def test_stay_of_a_reservation_with_several_rooms_can_change_its_room_but_not_its_dates(
    staff: Client, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 2, 4, rooms[0], rooms[1])
    further = Allocation.objects.get(room=rooms[1]).id
    for stay in (reservation.stay_id, further):
        refused = move(staff, stay, rooms[2], day(2), day(5)).json()
        assert refused["type"] == "/problems/stay-belongs-to-reservation"
        assert refused["reservation"] == f"/api/v1/reservations/{reservation.id}/"
    assert move(staff, further, rooms[2], day(2), day(4)).status_code == 200
    assert occupied(day) == [("101", 2, 4, "R1"), ("103", 2, 4, "R1")]


def test_stay_of_a_reservation_cannot_be_cancelled_alone_and_the_problem_names_the_reservation(
    staff: Client, api: APIClient, book: Callable[..., Reservation], rooms: list[int], day: Day
) -> None:
    """For comparison, a stay without a reservation can be cancelled."""
    free, booked = (services.acquire_hold(rooms=[room], nights=Nights(day(2), day(4))) for room in rooms[:2])
    for hold in (free, booked):
        proof = {"token": hold.token, "fencing_token": hold.fencing_token}
        assert post(api, hold.id, "confirm", **proof).status_code == 200
    body = {"arrival": day(2).isoformat(), "departure": day(4).isoformat(), "guest_name": "Ana Lima"}
    proof = {"id": str(booked.id), "token": booked.token, "fencing_token": booked.fencing_token}
    stored = api.put("/api/v1/reservations/by-external-id/R1/", {**body, "hold": proof}).json()
    url = f"/api/v1/reservations/{stored['id']}/"
    for refused in (post(api, booked.id, "cancel", token=booked.token), post(staff, booked.id, "cancel")):
        assert (refused.status_code, refused.json()["reservation"]) == (409, url)
        assert refused.json()["detail"].endswith(url)
    assert post(api, free.id, "cancel", token=free.token).json()["status"] == "cancelled"
    assert post(staff, free.id, "cancel").json()["status"] == "cancelled"  # a repeated cancellation
    assert occupied(day) == [("102", 2, 4, "")]
    assert api.post(f"{url}cancel/").json()["rooms"] == []
    assert occupied(day) == []


def test_staff_cancel_all_stays_of_a_group_without_a_reservation(
    staff: Client, rooms: list[int], day: Day
) -> None:
    hold = services.acquire_hold(rooms=rooms[:2], nights=Nights(day(2), day(4)))
    services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    cancelled = post(staff, hold.id, "cancel")
    assert [room["number"] for room in cancelled.json()["rooms"]] == ["101", "102"]
    assert occupied(day) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", ["cancel", "move"])
def test_stay_that_changes_while_a_reservation_takes_it_does_not_contradict_the_reservation(
    hotel: Hotel, rooms: list[int], day: Day, operation: str
) -> None:
    """The second of two concurrent requests gets an error, or changes both the stay and the reservation."""
    nights, later = Nights(day(2), day(4)), Nights(day(5), day(6))
    seen = Counter[tuple[str, str]]()
    for number in range(ROUNDS):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights)
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        change = {
            "cancel": partial(services.cancel_confirmed_hold, hold.id, token=hold.token),
            "move": partial(services.move_at_front_desk, hold.id, room=rooms[0], nights=later),
        }[operation]
        book = partial(
            upsert_reservation, external_id=f"R{number}", arrival=day(2), departure=day(4), guest_name="Ana",
            hold=HoldReference(hold.id, hold.token, hold.fencing_token or 0),
        )  # fmt: skip
        seen[tuple(call_at_the_same_time(hotel, partial(_outcome, change), partial(_outcome, book)))] += 1
        reservation = Reservation.objects.filter(external_id=f"R{number}").first()
        for stay in Allocation.objects.filter(status="confirmed"):
            dates = (reservation.arrival, reservation.departure) if reservation else (day(5), day(6))
            assert (stay.check_in, stay.check_out) == dates
        assert reservation is None or Allocation.objects.filter(status="confirmed").count() == 1
        Reservation.objects.all().delete()
        Allocation.objects.all().delete()
    refusals = {"HoldStateError", "InvalidReservation"}
    if operation == "cancel":
        assert seen.keys() <= {("StayBelongsToReservation", "done"), *(("done", name) for name in refusals)}
    else:  # a move after the booking moves the reservation, too
        assert seen.keys() <= {
            ("StayBelongsToReservation", "done"), ("done", "done"), *(("done", name) for name in refusals)
        }  # fmt: skip


def _outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except (StayBelongsToReservation, HoldStateError, InvalidReservation) as error:
        return type(error).__name__
    return "done"
