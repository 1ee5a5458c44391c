"""Tests of front desk operations, of adding stays, and of ending expired holds."""

import uuid

import pytest

from locks import services
from locks.errors import (
    AllocationStateError,
    HoldExpired,
    HoldNotFound,
    HoldStateError,
    RoomUnavailable,
    StaleFencingToken,
)
from locks.models import Allocation
from locks.services import NewStay
from tenants.models import DueItem
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire

pytestmark = pytest.mark.django_db


def test_force_release_of_another_owners_hold_stores_the_reason(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.force_release_hold(hold.id, reason="guest called")
    [event] = events_of("hold.forced")
    assert event.fields["reason"] == "guest called"
    assert Allocation.objects.get(id=hold.id).reason == "guest called"
    with pytest.raises(HoldStateError):
        services.extend_hold(hold.id, token=hold.token)
    with pytest.raises(AllocationStateError):
        services.force_release_hold(hold.id, reason="again")


def test_moved_hold_can_only_be_confirmed_with_its_new_fencing_token(
    rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    moved = services.move_allocation(hold.id, room=rooms[1], nights=nights(4, 2))
    assert (moved.id, moved.number, moved.check_in) == (hold.id, "102", nights(4).check_in)
    with pytest.raises(StaleFencingToken):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    services.confirm_hold(hold.id, token=hold.token, fencing_token=moved.fencing_token or 0)


def test_move_to_nights_that_overlap_with_the_current_nights_succeeds(
    rooms: list[int], nights: SomeNights
) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    assert (
        services.move_allocation(stay.id, room=rooms[0], nights=nights(3, 4)).check_in == nights(3).check_in
    )


def test_move_to_an_occupied_room_is_refused(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    services.acquire_hold(rooms=rooms[1:2], nights=nights(4))
    with pytest.raises(RoomUnavailable):
        services.move_allocation(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=stay.id).room_id == rooms[0]


def test_move_to_nights_with_an_expired_hold_ends_the_expired_hold(
    rooms: list[int], nights: SomeNights
) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    hold = services.acquire_hold(rooms=rooms[1:2], nights=nights(4))
    expire(hold.id)
    services.move_allocation(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=hold.id).status == "expired"


def test_move_of_an_expired_or_ended_hold_is_refused(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    expire(hold.id)
    with pytest.raises(HoldExpired):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    services.release_hold(hold.id, token=hold.token)
    with pytest.raises(AllocationStateError):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))


def test_reopened_room_can_be_held_again(rooms: list[int], nights: SomeNights) -> None:
    closed = services.close_room(room=rooms[0], nights=nights(1, 30), reason="new floor")
    with pytest.raises(RoomUnavailable):
        services.close_room(room=rooms[0], nights=nights(5), reason="paint")
    services.reopen_room(closed.id)
    services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    with pytest.raises(AllocationStateError):
        services.reopen_room(closed.id)


def test_cancellation_of_a_stay_frees_its_room(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    services.cancel_stay(stay.id)
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with pytest.raises(AllocationStateError):
        services.cancel_stay(stay.id)
    with pytest.raises(AllocationStateError):
        services.reopen_room(stay.id)


def test_stay_that_overlaps_with_an_added_stay_is_rejected(rooms: list[int], nights: SomeNights) -> None:
    first, second, third = (
        NewStay(room=rooms[0], check_in=nights(day).check_in, check_out=nights(day + 2).check_in)
        for day in (-9, -8, -7)
    )
    placed = services.add_stays([first, second, third])
    assert [len(placed.added), len(placed.rejected)] == [2, 1]
    [event] = events_of("stays.added")
    assert event.fields == {"added": 2, "rejected": 1}


def test_function_expire_holds_ends_expired_holds_and_reschedules_other_holds(
    rooms: list[int], nights: SomeNights
) -> None:
    old = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    new = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    expire(old.id)
    assert services.expire_holds(ids=[old.id, new.id]) == [old.id]
    assert services.expire_holds(ids=[old.id, new.id]) == []
    assert [event.subject_id for event in events_of("hold.expired")] == [str(old.id)]
    assert list(DueItem.objects.values_list("item_id", "due_at")) == [(new.id, new.expires_at)]


def test_force_release_of_an_unknown_id_raises_hold_not_found(rooms: list[int]) -> None:
    with pytest.raises(HoldNotFound):
        services.force_release_hold(uuid.uuid4(), reason="x")
