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


def test_acquired_hold_is_stored_with_the_digest_of_its_token(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), reference="B-1")
    allocation = Allocation.objects.get(id=hold.id)
    assert (allocation.status, allocation.reference) == ("held", "B-1")
    assert (allocation.check_in, allocation.check_out) == (hold.check_in, hold.check_out)
    assert hold.token
    assert hold.token.encode() not in bytes(allocation.token_digest or b"")
    assert len(bytes(allocation.token_digest or b"")) == 32
    assert hold.seconds_left in range(policy.HOLD_SECONDS - 5, policy.HOLD_SECONDS + 1)
    assert hold.extensions_left == policy.EXTENSIONS


def test_acquisition_records_an_event_and_schedules_the_expiry(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2))
    [event] = events_of("hold.acquired")
    assert (event.subject_kind, event.subject_id) == ("hold", str(hold.id))
    assert event.data["room"] == "101"
    item = DueItem.objects.get(kind="hold", item_id=hold.id)
    assert item.due_at == hold.expires_at


@pytest.mark.parametrize(
    ("requested", "clashing"),
    [((3, 4), [3, 4, 5, 6]), ((2, 2), [3]), ((6, 5), [6]), ((1, 9), [3, 4, 5, 6]), ((4, 1), [4])],
    ids=["same nights", "first night", "last night", "all nights", "one night"],
)
def test_acquisition_of_overlapping_nights_is_refused_with_the_clashing_nights(
    rooms: list[int], nights: SomeNights, requested: tuple[int, int], clashing: list[int]
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(3, 4))
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(*requested))
    [clash] = refused.value.extra["clashes"]
    assert clash["kind"] == "hold"
    assert clash["nights"] == [nights(day).check_in.isoformat() for day in clashing]


def test_acquisition_on_the_check_out_date_of_another_hold_succeeds(
    rooms: list[int], nights: SomeNights
) -> None:
    for start in (3, 1, 5):
        services.acquire_hold(rooms=rooms[:1], nights=nights(start, 2))
    assert Allocation.objects.count() == 3


def test_insert_of_an_overlapping_allocation_is_refused_by_the_database(
    rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(3, 4))
    for status in (AllocationStatus.CONFIRMED, AllocationStatus.CLOSED):
        with pytest.raises(IntegrityError, match="locks_allocation_no_overlap"), transaction.atomic():
            Allocation.objects.create(room_id=rooms[0], nights=(hold.check_in, hold.check_out), status=status)


@pytest.mark.parametrize("nights_literal", ["empty", "[2031-01-01,)", "(,2031-01-01)"])
def test_insert_of_an_empty_or_unbounded_range_is_refused_by_the_database(
    rooms: list[int], nights_literal: str
) -> None:
    insert = (
        "INSERT INTO locks_allocation (id, room_id, nights, status, extensions_left, holder, session, "
        "reference, reason) VALUES (gen_random_uuid(), %s, %s, 'confirmed', 0, '', '', '', '')"
    )
    with connection.cursor() as cursor, transaction.atomic():
        with pytest.raises(IntegrityError, match="locks_allocation_nights_check"):
            cursor.execute(insert, [rooms[0], nights_literal])
        transaction.set_rollback(True)


def test_stays_and_closures_occupy_rooms(rooms: list[int], nights: SomeNights) -> None:
    stay = services.NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(1).check_out)
    services.add_stays([stay])
    services.close_room(room=rooms[0], nights=nights(2), reason="paint")
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(1, 3))
    assert [clash["kind"] for clash in refused.value.extra["clashes"]] == ["stay", "closure"]


def test_refusal_contains_the_next_free_date_and_alternative_rooms(
    rooms: list[int], nights: SomeNights
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    services.acquire_hold(rooms=rooms[:1], nights=nights(6, 2))
    with pytest.raises(RoomUnavailable) as refused:
        services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    extra = refused.value.extra
    assert extra["next_free"] == nights(8).check_in.isoformat()  # the gap between the holds has one night
    assert [room["number"] for room in extra["alternatives"]] == ["102", "103"]


def test_acquisition_ends_an_expired_hold_of_the_room_and_records_its_expiry(
    rooms: list[int], nights: SomeNights
) -> None:
    first = services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
    expire(first.id)
    second = services.acquire_hold(rooms=rooms[:1], nights=nights(4, 2))
    assert Allocation.objects.get(id=first.id).status == "expired"
    assert Allocation.objects.get(id=second.id).status == "held"
    assert [event.subject_id for event in events_of("hold.expired")] == [str(first.id)]
    assert not DueItem.objects.filter(item_id=first.id).exists()


def test_acquisition_of_several_rooms_holds_all_of_them_or_none(rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[1:2], nights=nights(3, 2))
    with pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=rooms, nights=nights(4, 2))
    assert Allocation.objects.count() == 1
    group = services.acquire_hold(rooms=rooms, nights=nights(5, 2))
    assert {room.group_id for room in group.rooms} == {group.id}
    assert [room.room_id for room in group.rooms] == rooms
    assert len(events_of("hold.acquired")) == 4
    assert DueItem.objects.filter(kind="hold").count() == 4


def test_acquisition_of_several_rooms_ends_the_expired_hold_on_each_room(
    rooms: list[int], nights: SomeNights
) -> None:
    expired = [services.acquire_hold(rooms=[room], nights=nights(3)) for room in rooms]
    expire(*(hold.id for hold in expired))
    group = services.acquire_hold(rooms=rooms, nights=nights(3))
    assert len(group.rooms) == 3
    assert {event.subject_id for event in events_of("hold.expired")} == {str(hold.id) for hold in expired}


def test_fencing_token_increases_with_each_hold_and_is_equal_within_a_group(
    rooms: list[int], nights: SomeNights
) -> None:
    tokens = []
    for _ in range(3):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
        services.release_hold(hold.id, token=hold.token)
        tokens.append(hold.fencing_token)
    group = services.acquire_hold(rooms=rooms, nights=nights(1))
    assert len({room.fencing_token for room in group.rooms}) == 1
    assert [*tokens, group.fencing_token] == [1, 2, 3, 4]
    single = services.acquire_hold(rooms=rooms[2:], nights=nights(5))
    assert single.fencing_token == 5


def test_acquisition_by_room_type_prefers_the_smallest_room_with_enough_space(
    in_hotel: Hotel, nights: SomeNights
) -> None:
    services.add_rooms(
        [
            services.NewRoom(number=number, room_type="suite", capacity=capacity)
            for number, capacity in (("1", 4), ("2", 2), ("3", 3))
        ]
    )
    acquired = [
        services.acquire_hold_of_type(room_type="suite", nights=nights(1), guests=2).rooms[0].number
        for _ in range(3)
    ]
    assert acquired == ["2", "3", "1"]


def test_refusal_for_a_room_type_contains_the_next_free_date(rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[:2], nights=nights(1, 3))
    services.acquire_hold(rooms=rooms[2:], nights=nights(1, 5))
    with pytest.raises(RoomTypeUnavailable) as refused:
        services.acquire_hold_of_type(room_type="double", nights=nights(2), count=2)
    assert refused.value.extra == {"free": 0, "next_free": nights(4).check_in.isoformat()}


def test_acquisition_by_room_type_gets_rooms_whose_holds_have_expired(
    rooms: list[int], nights: SomeNights
) -> None:
    group = services.acquire_hold(rooms=rooms, nights=nights(1))
    expire(*(room.id for room in group.rooms))
    assert services.acquire_hold_of_type(room_type="double", nights=nights(1), count=3).rooms


def test_check_in_date_is_compared_with_the_hotels_local_date(in_hotel: Hotel, nights: SomeNights) -> None:
    services.ensure_rooms({"double": 1})
    [room] = services.ensure_rooms({})["double"]
    # These time zones are 25 hours apart, so their dates always differ.
    east = dataclasses.replace(in_hotel.tenant, time_zone="Pacific/Kiritimati")
    west = dataclasses.replace(in_hotel.tenant, time_zone="Pacific/Pago_Pago")
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'Pacific/Pago_Pago')::date")
        [date] = cursor.fetchone()
    tonight = Nights(date, date + datetime.timedelta(days=1))
    with hotel_context(east), pytest.raises(InvalidCheckIn):
        services.acquire_hold(rooms=[room], nights=tonight)
    with hotel_context(west):
        services.acquire_hold(rooms=[room], nights=tonight)


@pytest.mark.parametrize(
    ("check_in", "check_out", "message"),
    [
        ("2031-05-02", "2031-05-02", "Check-out must be after check-in"),
        ("2031-05-02", "2031-05-01", "Check-out must be after check-in"),
        ("2031-05-01", "2041-05-01", "3653 nights"),
        ("2031-05-01", "2032-05-02", "367 nights"),
        ("2999-12-31", "3000-01-01", "Check-out can't be after 2999-12-31"),
    ],
    ids=["no nights", "reversed", "ten years", "one night too many", "too far in the future"],
)
def test_nights_with_invalid_dates_raise_invalid_date_range(
    check_in: str, check_out: str, message: str
) -> None:
    with pytest.raises(InvalidDateRange, match=message):
        Nights(datetime.date.fromisoformat(check_in), datetime.date.fromisoformat(check_out))


def test_acquisition_with_a_check_in_date_in_the_past_is_refused(
    rooms: list[int], nights: SomeNights
) -> None:
    with pytest.raises(InvalidCheckIn):
        services.acquire_hold(rooms=rooms[:1], nights=nights(-1, 3))


def test_acquisition_of_unknown_or_repeated_rooms_is_refused(rooms: list[int], nights: SomeNights) -> None:
    with pytest.raises(RoomNotFound):
        services.acquire_hold(rooms=[rooms[0], 9999], nights=nights(1))
    with pytest.raises(RoomNotFound):
        services.acquire_hold_of_type(room_type="castle", nights=nights(1))
    for selection in ([], rooms[:1] * 2):
        with pytest.raises(InvalidRoomSelection):
            services.acquire_hold(rooms=selection, nights=nights(1))


def test_acquisition_of_more_rooms_than_a_client_may_hold_is_refused(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_HOLDS_PER_CLIENT", 3)
    for day in range(3):
        services.acquire_hold(rooms=rooms[:1], nights=nights(day))
    with pytest.raises(TooManyHolds):
        services.acquire_hold(rooms=rooms[:1], nights=nights(5))


def test_acquisition_of_more_rooms_than_a_guest_session_may_hold_is_refused(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_HOLDS_PER_SESSION", 2)
    services.acquire_hold(rooms=rooms[:2], nights=nights(1), session="s1")
    with pytest.raises(TooManyHolds):
        services.acquire_hold(rooms=rooms[:1], nights=nights(5), session="s1")
    services.acquire_hold(rooms=rooms[:1], nights=nights(5), session="s2")
