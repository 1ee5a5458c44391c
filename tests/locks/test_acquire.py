"""Tests of acquiring holds."""

import dataclasses
import datetime

import pytest
from django.db import IntegrityError, connection, transaction

from locks import policy, services
from locks.errors import (
    InvalidCheckIn,
    InvalidDateRange,
    InvalidRoomSelection,
    RoomNotFound,
    RoomTypeUnavailable,
    RoomUnavailable,
    TooManyHolds,
)
from locks.models import Allocation, AllocationStatus
from locks.nights import Nights
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire

pytestmark = pytest.mark.django_db


def test_it_holds_a_room_and_stores_no_token(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), reference="B-1")
    stay = Allocation.objects.get(id=hold.id)
    assert (stay.status, stay.check_in, stay.check_out) == ("held", hold.check_in, hold.check_out)
    assert hold.token
    assert hold.token.encode() not in bytes(stay.token_digest or b"")
    assert len(bytes(stay.token_digest or b"")) == 32
    assert hold.seconds_left in range(policy.HOLD_SECONDS - 5, policy.HOLD_SECONDS + 1)
    assert hold.extensions_left == policy.EXTENSIONS


def test_it_tells_the_trail_and_the_due_queue(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2))
    [event] = events_of("hold.acquired")
    assert (event.subject_kind, event.subject_id) == ("hold", str(hold.id))
    assert event.data["room"] == "101"
    due = DueItem.objects.get(kind="hold", item_id=hold.id)
    assert due.due_at == hold.expires_at


@pytest.mark.parametrize(
    ("asked", "clashing"),
    [((3, 4), [3, 4, 5, 6]), ((2, 2), [3]), ((6, 5), [6]), ((1, 9), [3, 4, 5, 6]), ((4, 1), [4])],
    ids=["same", "into", "out of", "around", "within"],
)
def test_it_refuses_an_overlap_and_names_the_clashing_nights(
    rooms: list[int], nights: SomeNights, asked: tuple[int, int], clashing: list[int]
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(3, 4))
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(*asked))
    [clash] = refused.value.extra["clashes"]
    assert clash["kind"] == "hold"
    assert clash["nights"] == [nights(day).check_in.isoformat() for day in clashing]


def test_it_lets_one_arrive_on_the_day_another_leaves(rooms: list[int], nights: SomeNights) -> None:
    for start in (3, 1, 5):
        services.acquire_hold(rooms=rooms[:1], nights=nights(start, 2))
    assert Allocation.objects.count() == 3


def test_the_database_refuses_an_overlap_whoever_writes_it(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(3, 4))
    for status in (AllocationStatus.CONFIRMED, AllocationStatus.CLOSED):
        with pytest.raises(IntegrityError, match="locks_allocation_no_overlap"), transaction.atomic():
            Allocation.objects.create(room_id=rooms[0], nights=(hold.check_in, hold.check_out), status=status)


@pytest.mark.parametrize("nothing", ["empty", "[2031-01-01,)", "(,2031-01-01)"])
def test_the_database_refuses_a_range_that_blocks_nothing_or_everything(
    rooms: list[int], nothing: str
) -> None:
    insert = (
        "INSERT INTO locks_allocation (id, room_id, nights, status, extensions_left, holder, session, "
        "reference, reason) VALUES (gen_random_uuid(), %s, %s, 'confirmed', 0, '', '', '', '')"
    )
    with connection.cursor() as cursor, transaction.atomic():
        with pytest.raises(IntegrityError, match="locks_allocation_nights_check"):
            cursor.execute(insert, [rooms[0], nothing])
        transaction.set_rollback(True)


def test_a_stay_and_a_time_out_of_service_block_too(rooms: list[int], nights: SomeNights) -> None:
    placement = services.NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(1).check_out)
    services.add_stays([placement])
    services.close_room(room=rooms[0], nights=nights(2), reason="paint")
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(1, 3))
    assert [clash["kind"] for clash in refused.value.extra["clashes"]] == ["stay", "closure"]


def test_a_refusal_says_when_the_room_is_free_and_what_else_is(rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    services.acquire_hold(rooms=rooms[:1], nights=nights(6, 2))
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    extra = refused.value.extra
    assert extra["next_free"] == nights(8).check_in.isoformat()  # the one night in between is too short
    assert [room["number"] for room in extra["alternatives"]] == ["102", "103"]


def test_a_lapsed_hold_gives_way_and_leaves_its_event(rooms: list[int], nights: SomeNights) -> None:
    first = services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    expire(first.id)
    second = services.acquire_hold(rooms=rooms[:1], nights=nights(4, 2))
    assert Allocation.objects.get(id=first.id).status == "expired"
    assert Allocation.objects.get(id=second.id).status == "held"
    assert [event.subject_id for event in events_of("hold.expired")] == [str(first.id)]


def test_several_rooms_are_held_together_or_not_at_all(rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[1:2], nights=nights(3, 2))
    with pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=rooms, nights=nights(4, 2))
    assert Allocation.objects.count() == 1
    group = services.acquire_hold(rooms=rooms, nights=nights(5, 2))
    assert {room.group_id for room in group.rooms} == {group.id}
    assert len(group.rooms) == 3


def test_the_fence_of_a_room_only_grows_and_a_group_has_one(rooms: list[int], nights: SomeNights) -> None:
    seen = []
    for _ in range(3):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
        services.release_hold(hold.id, token=hold.token)
        seen.append(hold.fencing_token)
    group = services.acquire_hold(rooms=rooms, nights=nights(1))
    assert len({room.fencing_token for room in group.rooms}) == 1
    assert [*seen, group.fencing_token] == [1, 2, 3, 4]


def test_any_room_of_a_type_is_the_smallest_that_will_do(in_hotel: Hotel, nights: SomeNights) -> None:
    services.add_rooms(
        [
            services.NewRoom(number=number, room_type="suite", capacity=capacity)
            for number, capacity in (("1", 4), ("2", 2), ("3", 3))
        ]
    )
    taken = [
        services.acquire_hold_of_type(room_type="suite", nights=nights(1), guests=2).rooms[0].number
        for _ in range(3)
    ]
    assert taken == ["2", "3", "1"]


def test_no_room_of_a_type_free_says_when_one_is(rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[:2], nights=nights(1, 3))
    services.acquire_hold(rooms=rooms[2:], nights=nights(1, 5))
    with pytest.raises(RoomTypeUnavailable) as refused:
        services.acquire_hold_of_type(room_type="double", nights=nights(2), count=2)
    assert refused.value.extra == {"free": 0, "next_free": nights(4).check_in.isoformat()}


def test_a_lapsed_hold_does_not_keep_a_type_sold_out(rooms: list[int], nights: SomeNights) -> None:
    group = services.acquire_hold(rooms=rooms, nights=nights(1))
    expire(*(room.id for room in group.rooms))
    assert services.acquire_hold_of_type(room_type="double", nights=nights(1), count=3).rooms


def test_today_is_the_hotels_and_not_the_servers(in_hotel: Hotel, nights: SomeNights) -> None:
    services.ensure_rooms({"double": 1})
    [room] = services.ensure_rooms({})["double"]
    # 25 hours apart, so these two never have the same date.
    east = dataclasses.replace(in_hotel.tenant, time_zone="Pacific/Kiritimati")
    west = dataclasses.replace(in_hotel.tenant, time_zone="Pacific/Pago_Pago")
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'Pacific/Pago_Pago')::date")
        [day] = cursor.fetchone()
    tonight = Nights(day, day + datetime.timedelta(days=1))
    with hotel_context(east), pytest.raises(InvalidCheckIn):
        services.acquire_hold(rooms=[room], nights=tonight)
    with hotel_context(west):
        services.acquire_hold(rooms=[room], nights=tonight)


@pytest.mark.parametrize(
    ("check_in", "check_out", "error"),
    [
        ("2031-05-02", "2031-05-02", InvalidDateRange),
        ("2031-05-02", "2031-05-01", InvalidDateRange),
        ("2031-05-01", "2041-05-01", InvalidDateRange),
        ("2031-05-01", "2032-05-02", InvalidDateRange),
    ],
    ids=["empty", "reversed", "ten years", "a night too many"],
)
def test_it_refuses_ranges_that_are_none(check_in: str, check_out: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Nights(datetime.date.fromisoformat(check_in), datetime.date.fromisoformat(check_out))


def test_it_refuses_dates_in_the_past(rooms: list[int], nights: SomeNights) -> None:
    with pytest.raises(InvalidCheckIn):
        services.acquire_hold(rooms=rooms[:1], nights=nights(-1, 3))


def test_it_refuses_rooms_that_are_none(rooms: list[int], nights: SomeNights) -> None:
    with pytest.raises(RoomNotFound):
        services.acquire_hold(rooms=[rooms[0], 9999], nights=nights(1))
    with pytest.raises(RoomNotFound):
        services.acquire_hold_of_type(room_type="castle", nights=nights(1))
    for wrong in ([], rooms[:1] * 2):
        with pytest.raises(InvalidRoomSelection):
            services.acquire_hold(rooms=wrong, nights=nights(1))


def test_it_refuses_more_holds_than_a_client_may_have(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_HOLDS_PER_CLIENT", 3)
    for day in range(3):
        services.acquire_hold(rooms=rooms[:1], nights=nights(day))
    with pytest.raises(TooManyHolds):
        services.acquire_hold(rooms=rooms[:1], nights=nights(5))


def test_it_refuses_more_holds_than_a_guests_session_may_have(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_HOLDS_PER_SESSION", 2)
    services.acquire_hold(rooms=rooms[:2], nights=nights(1), session="s1")
    with pytest.raises(TooManyHolds):
        services.acquire_hold(rooms=rooms[:1], nights=nights(5), session="s1")
    services.acquire_hold(rooms=rooms[:1], nights=nights(5), session="s2")
