"""Tests of the actions of the front desk, and of what is stored about holds that have ended."""

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


def test_staff_end_anothers_hold_with_a_reason(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.force_release_hold(hold.id, reason="guest called")
    [event] = events_of("hold.forced")
    assert event.data["reason"] == "guest called"
    assert Allocation.objects.get(id=hold.id).reason == "guest called"
    with pytest.raises(HoldStateError):
        services.extend_hold(hold.id, token=hold.token)
    with pytest.raises(AllocationStateError):
        services.force_release_hold(hold.id, reason="again")


def test_a_hold_that_is_moved_must_be_read_again_before_it_is_confirmed(
    rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    moved = services.move_allocation(hold.id, room=rooms[1], nights=nights(4, 2))
    assert (moved.id, moved.number, moved.check_in) == (hold.id, "102", nights(4).check_in)
    with pytest.raises(StaleFencingToken):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    services.confirm_hold(hold.id, token=hold.token, fencing_token=moved.fencing_token or 0)


def test_a_stay_may_move_over_nights_of_its_own(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    assert (
        services.move_allocation(stay.id, room=rooms[0], nights=nights(3, 4)).check_in == nights(3).check_in
    )


def test_a_stay_is_not_moved_onto_another(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    services.acquire_hold(rooms=rooms[1:2], nights=nights(4))
    with pytest.raises(RoomUnavailable):
        services.move_allocation(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=stay.id).room_id == rooms[0]


def test_a_stay_moves_onto_what_has_lapsed(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    hold = services.acquire_hold(rooms=rooms[1:2], nights=nights(4))
    expire(hold.id)
    services.move_allocation(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=hold.id).status == "expired"


def test_what_has_ended_is_not_moved(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    expire(hold.id)
    with pytest.raises(HoldExpired):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    services.release_hold(hold.id, token=hold.token)
    with pytest.raises(AllocationStateError):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))


def test_a_room_out_of_service_comes_back(rooms: list[int], nights: SomeNights) -> None:
    closed = services.close_room(room=rooms[0], nights=nights(1, 30), reason="new floor")
    with pytest.raises(RoomUnavailable):
        services.close_room(room=rooms[0], nights=nights(5), reason="paint")
    services.reopen_room(closed.id)
    services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    with pytest.raises(AllocationStateError):
        services.reopen_room(closed.id)


def test_a_cancelled_stay_frees_its_room(rooms: list[int], nights: SomeNights) -> None:
    stay = NewStay(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.add_stays([stay])
    services.cancel_stay(stay.id)
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with pytest.raises(AllocationStateError):
        services.cancel_stay(stay.id)
    with pytest.raises(AllocationStateError):
        services.reopen_room(stay.id)


def test_many_stays_are_placed_and_those_that_clash_are_handed_back(
    rooms: list[int], nights: SomeNights
) -> None:
    first, second, third = (
        NewStay(room=rooms[0], check_in=nights(day).check_in, check_out=nights(day + 2).check_in)
        for day in (-9, -8, -7)
    )
    placed = services.add_stays([first, second, third])
    assert [len(placed.added), len(placed.rejected)] == [2, 1]
    [event] = events_of("stays.added")
    assert event.data == {"added": 2, "rejected": 1}


def test_expiry_ends_what_has_lapsed_and_leaves_the_rest_due(rooms: list[int], nights: SomeNights) -> None:
    old = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    new = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    expire(old.id)
    assert services.expire_holds(ids=[old.id, new.id]) == [old.id]
    assert services.expire_holds(ids=[old.id, new.id]) == []
    assert [event.subject_id for event in events_of("hold.expired")] == [str(old.id)]
    assert list(DueItem.objects.values_list("item_id", "due_at")) == [(new.id, new.expires_at)]


def test_force_releasing_what_never_was_is_unknown(rooms: list[int]) -> None:
    with pytest.raises(HoldNotFound):
        services.force_release_hold(uuid.uuid4(), reason="x")
