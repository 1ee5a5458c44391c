"""Tests of stays that the hotel's own system adds, moves and ends, thousands at a time."""

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
from tests.locks.test_waiting_list_races import ConcurrentCalls, acquire_repeatedly
from tests.races.overlaps import OVERLAPS

pytestmark = pytest.mark.django_db
Place = Callable[..., UUID]


@pytest.fixture
def place(rooms: list[int], nights: SomeNights) -> Place:
    """Return a function that adds a stay: place(0, 3, 2) is two nights in the first room, three days from today."""

    def one(room: int, start: int, count: int = 1) -> UUID:
        wanted = nights(start, count)
        stay = NewStay(room=rooms[room], check_in=wanted.check_in, check_out=wanted.check_out)
        [placed] = services.add_stays([stay]).added
        return placed.id

    return one


def span(nights: Nights) -> tuple[datetime.date, datetime.date]:
    return nights.check_in, nights.check_out


def stands(stay: UUID) -> tuple[int, datetime.date]:
    found = Allocation.objects.get(id=stay, status="confirmed")
    return found.room_id, found.check_in


def test_stays_that_take_each_others_nights_keep_their_rooms(
    place: Place, rooms: list[int], nights: SomeNights
) -> None:
    chain = [place(0, day) for day in range(3)]
    done = reallocate(changes=[StayChange(stay, span(nights((n + 1) % 3))) for n, stay in enumerate(chain)])
    assert (done.confirmed, done.moved, done.cancelled) == (frozenset(chain), 3, 0)
    assert [stands(stay) for stay in chain] == [(rooms[0], nights((n + 1) % 3).check_in) for n in range(3)]
    assert {event.data["from_room"] for event in events_of("stay.moved")} == {"101"}


def test_one_whose_room_is_taken_ends_or_gets_another_of_the_type(
    place: Place, rooms: list[int], nights: SomeNights
) -> None:
    for_good, flexible, sitting = place(0, 1), place(0, 3), place(0, 5)
    done = reallocate(
        changes=[
            StayChange(for_good, span(nights(5))),
            StayChange(flexible, span(nights(5)), room_type="double"),
        ]
    )
    assert (done.confirmed, done.moved, done.cancelled) == (frozenset({flexible}), 1, 1)
    assert stands(flexible) == (rooms[1], nights(5).check_in)
    assert stands(sitting)[0] == rooms[0]
    assert Allocation.objects.get(id=for_good).status == "cancelled"
    assert [event.subject_id for event in events_of("stay.cancelled")] == [str(for_good)]


def test_rooms_are_made_where_none_is_free_and_as_few_as_will_do(
    place: Place, rooms: list[int], nights: SomeNights
) -> None:
    moving = place(0, 9)
    placements = [
        NewStay(room=rooms[0], check_in=day.check_in, check_out=day.check_out, room_type="double")
        for day in (*[nights(1)] * 4, *[nights(2)] * 4)
    ]
    done = reallocate(changes=[StayChange(moving, span(nights(1)), room_type="double")], new_stays=placements)
    assert (len(done.added), done.added_elsewhere, done.moved) == (8, 7, 1)
    assert Room.objects.filter(room_type="double").count() == 5  # on the first night five, on the second four
    assert {placement.id for placement in done.added} == {placement.id for placement in placements}


def test_a_thousand_clashes_do_not_cost_a_statement_each(rooms: list[int], nights: SomeNights) -> None:
    def statements(number: int, day: int) -> int:
        wanted = [NewStay(rooms[0], *span(nights(day)), room_type="double") for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            assert reallocate(new_stays=wanted).added_elsewhere == number - 1
        return len(queries)

    assert statements(1_000, 3) < 3 * statements(10, 1)


def test_a_stay_leaves_a_room_of_the_wrong_type_only_if_told_to(
    place: Place, rooms: list[int], nights: SomeNights
) -> None:
    stay, other = place(0, 1), place(1, 1)
    reallocate(
        changes=[
            StayChange(stay, span(nights(1)), room_type="suite", requires_room_type=True),
            StayChange(other, span(nights(2)), room_type="suite"),
        ]
    )
    assert Room.objects.get(id=stands(stay)[0]).room_type == "suite"
    assert stands(other) == (rooms[1], nights(2).check_in)


def test_what_has_lapsed_is_in_nobodys_way_and_what_is_held_is(
    place: Place, rooms: list[int], nights: SomeNights
) -> None:
    stay = place(0, 1)
    lapsed = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    expire(lapsed.id)
    assert reallocate(changes=[StayChange(stay, span(nights(3)))]).moved == 1
    assert Allocation.objects.get(id=lapsed.id).status == "expired"
    assert reallocate(changes=[StayChange(stay, span(nights(5)))]).cancelled == 1


def test_what_has_ended_is_not_moved(place: Place, nights: SomeNights) -> None:
    stay = place(0, 1)
    services.cancel_stay(stay)
    assert reallocate(changes=[StayChange(stay, span(nights(3)))]).confirmed == frozenset()
    assert events_of("stay.moved") == []


def test_webhooks_and_who_waits_learn_of_it(place: Place, rooms: list[int], nights: SomeNights) -> None:
    create_webhook(url="http://127.0.0.1:9/", event_types=["stay.moved", "stay.cancelled"])
    moving, ending = place(0, 1), place(1, 1)
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[1]))
    reallocate(changes=[StayChange(moving, span(nights(4))), StayChange(ending, None)])
    told = {notice.event: notice.data for notice in WebhookDelivery.objects.all()}
    assert told["stay.moved"]["check_in"] == nights(4).check_in.isoformat()
    assert told["stay.moved"]["moved_from"]["check_in"] == nights(1).check_in.isoformat()
    assert told["stay.cancelled"]["hold"] == str(ending)
    assert due_ids("waiting") == [entry.id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
def test_rivals_for_the_same_rooms_get_each_night_once(in_hotel: Hotel, nights: SomeNights) -> None:
    services.ensure_rooms({"double": 6})
    rooms = services.ensure_rooms({})["double"]
    standing: list[UUID] = []

    def bring_in(seed: int) -> None:
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
            standing.extend(reallocate(changes=changes).confirmed)

    ConcurrentCalls(in_hotel).run(
        [
            partial(bring_in, 1),
            partial(bring_in, 2),
            acquire_repeatedly(nights(3, 2), rooms),
            acquire_repeatedly(nights(9, 3), rooms),
        ]
    )
    confirmed = set(Allocation.objects.filter(status="confirmed").values_list("id", flat=True))
    assert confirmed == set(standing)
    assert len(standing) == 2 * 8 * 20
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)
