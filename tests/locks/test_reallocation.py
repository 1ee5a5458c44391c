"""Tests of `reallocate`, which adds, moves and cancels many stays to match the hotel's own system."""

import datetime
import random
from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from locks import services
from locks.models import Allocation, Room
from locks.nights import Nights
from locks.services import NewStay, StayChange, reallocate
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks.models import WebhookDelivery
from locks.webhooks.services import create_webhook
from tenants.models import Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due_ids, events_of, expire
from tests.locks.test_waiting_list_races import acquire_repeatedly
from tests.races.overlaps import OVERLAPS
from tests.threads import call_at_the_same_time

pytestmark = pytest.mark.django_db
AddStay = Callable[..., UUID]


@pytest.fixture
def add_stay(rooms: list[int], nights: SomeNights) -> AddStay:
    """Return a function that adds a stay to a room.

    Example: `add_stay(0, 3, 2)` adds a stay of two nights in the first room. The check-in is three days from today.
    """

    def add(room: int, start: int, count: int = 1) -> UUID:
        requested = nights(start, count)
        stay = NewStay(room=rooms[room], check_in=requested.check_in, check_out=requested.check_out)
        [added] = services.add_stays([stay]).added
        return added.id

    return add


def span(nights: Nights) -> tuple[datetime.date, datetime.date]:
    return nights.check_in, nights.check_out


def room_and_check_in(stay: UUID) -> tuple[int, datetime.date]:
    found = Allocation.objects.get(id=stay, status="confirmed")
    return found.room_id, found.check_in


def test_reallocate_lets_stays_in_one_room_exchange_their_dates(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    chain = [add_stay(0, day) for day in range(3)]
    done = reallocate(changes=[StayChange(stay, span(nights((n + 1) % 3))) for n, stay in enumerate(chain)])
    assert (done.confirmed, done.moved, done.cancelled) == (frozenset(chain), 3, 0)
    assert [room_and_check_in(stay) for stay in chain] == [
        (rooms[0], nights((n + 1) % 3).check_in) for n in range(3)
    ]
    assert {event.data["from_room"] for event in events_of("stay.moved")} == {"101"}


def test_stay_whose_room_is_occupied_changes_its_room_or_is_cancelled(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    inflexible, flexible, occupying = add_stay(0, 1), add_stay(0, 3), add_stay(0, 5)
    done = reallocate(
        changes=[
            StayChange(inflexible, span(nights(5))),
            StayChange(flexible, span(nights(5)), room_type="double"),
        ]
    )
    assert (done.confirmed, done.moved, done.cancelled) == (frozenset({flexible}), 1, 1)
    assert room_and_check_in(flexible) == (rooms[1], nights(5).check_in)
    assert room_and_check_in(occupying)[0] == rooms[0]
    assert Allocation.objects.get(id=inflexible).status == "cancelled"
    assert [event.subject_id for event in events_of("stay.cancelled")] == [str(inflexible)]


def test_reallocate_without_enough_free_rooms_creates_as_few_rooms_as_possible(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    moving = add_stay(0, 9)
    new_stays = [
        NewStay(room=rooms[0], check_in=day.check_in, check_out=day.check_out, room_type="double")
        for day in (*[nights(1)] * 4, *[nights(2)] * 4)
    ]
    done = reallocate(changes=[StayChange(moving, span(nights(1)), room_type="double")], new_stays=new_stays)
    assert (len(done.added), done.added_elsewhere, done.moved) == (8, 7, 1)
    assert Room.objects.filter(room_type="double").count() == 5  # for five stays on the first night
    assert {new_stay.id for new_stay in done.added} == {new_stay.id for new_stay in new_stays}


def test_reallocate_sends_the_same_number_of_statements_for_any_number_of_stays(
    rooms: list[int], nights: SomeNights
) -> None:
    def statements(number: int, day: int) -> int:
        wanted = [NewStay(rooms[0], *span(nights(day)), room_type="double") for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            assert reallocate(new_stays=wanted).added_elsewhere == number - 1
        return len(queries)

    assert statements(1_000, 3) < 3 * statements(10, 1)


def test_stay_gets_another_room_type_only_if_the_change_requires_the_type(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    stay, other = add_stay(0, 1), add_stay(1, 1)
    reallocate(
        changes=[
            StayChange(stay, span(nights(1)), room_type="suite", requires_room_type=True),
            StayChange(other, span(nights(2)), room_type="suite"),
        ]
    )
    assert Room.objects.get(id=room_and_check_in(stay)[0]).room_type == "suite"
    assert room_and_check_in(other) == (rooms[1], nights(2).check_in)


def test_reallocated_stay_replaces_an_expired_hold_but_not_an_active_hold(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    stay = add_stay(0, 1)
    expired = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    expire(expired.id)
    assert reallocate(changes=[StayChange(stay, span(nights(3)))]).moved == 1
    assert Allocation.objects.get(id=expired.id).status == "expired"
    assert reallocate(changes=[StayChange(stay, span(nights(5)))]).cancelled == 1


def test_cancelled_stay_is_not_moved(add_stay: AddStay, nights: SomeNights) -> None:
    stay = add_stay(0, 1)
    services.cancel_stay(stay)
    assert reallocate(changes=[StayChange(stay, span(nights(3)))]).confirmed == frozenset()
    assert events_of("stay.moved") == []


def test_reallocate_creates_webhook_deliveries_and_schedules_waiting_list_entries(
    add_stay: AddStay, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url="http://127.0.0.1:9/", event_types=["stay.moved", "stay.cancelled"])
    moving, ending = add_stay(0, 1), add_stay(1, 1)
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[1]))
    reallocate(changes=[StayChange(moving, span(nights(4))), StayChange(ending, None)])
    data = {delivery.event: delivery.data for delivery in WebhookDelivery.objects.all()}
    assert data["stay.moved"]["check_in"] == nights(4).check_in.isoformat()
    assert data["stay.moved"]["moved_from"]["check_in"] == nights(1).check_in.isoformat()
    assert data["stay.cancelled"]["hold"] == str(ending)
    assert due_ids("waiting") == [entry.id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
def test_concurrent_reallocations_and_holds_do_not_double_book(in_hotel: Hotel, nights: SomeNights) -> None:
    services.ensure_rooms({"double": 6})
    rooms = services.ensure_rooms({})["double"]
    confirmed_ids: list[UUID] = []

    def add_and_move_stays(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        for _ in range(8):
            wanted = [span(nights(chance.randrange(20), chance.randint(1, 4))) for _ in range(20)]
            placed = reallocate(
                new_stays=[NewStay(chance.choice(rooms), *some, room_type="double") for some in wanted]
            ).added
            changes = [
                StayChange(stay.id, span(nights(chance.randrange(20), 2)), room_type="double")
                for stay in placed
            ]
            confirmed_ids.extend(reallocate(changes=changes).confirmed)

    call_at_the_same_time(
        in_hotel,
        partial(add_and_move_stays, 1),
        partial(add_and_move_stays, 2),
        acquire_repeatedly(nights(3, 2), rooms),
        acquire_repeatedly(nights(9, 3), rooms),
        kind="key",
    )
    confirmed = set(Allocation.objects.filter(status="confirmed").values_list("id", flat=True))
    assert confirmed == set(confirmed_ids)
    assert len(confirmed_ids) == 2 * 8 * 20
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)
