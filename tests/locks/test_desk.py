"""What the front desk does, and what a hold's end leaves behind."""

import uuid

import pytest

from locks import services
from locks.errors import HoldExpired, HoldReleased, NotAStay, RoomTaken, StaleFencingToken, UnknownHold
from locks.models import Allocation
from locks.services import Placement
from tenants.models import DueItem
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, lapse

pytestmark = pytest.mark.django_db


def test_staff_end_anothers_hold_with_a_reason(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire(rooms=rooms[:1], nights=nights(1))
    services.force_release(hold.id, reason="guest called")
    [event] = events_of("hold.forced")
    assert event.data["reason"] == "guest called"
    assert Allocation.objects.get(id=hold.id).reason == "guest called"
    with pytest.raises(HoldReleased):
        services.extend(hold.id, token=hold.token)
    with pytest.raises(NotAStay):
        services.force_release(hold.id, reason="again")


def test_a_hold_that_is_moved_must_be_read_again_before_it_is_confirmed(
    rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire(rooms=rooms[:1], nights=nights(1))
    moved = services.move_stay(hold.id, room=rooms[1], nights=nights(4, 2))
    assert (moved.id, moved.number, moved.check_in) == (hold.id, "102", nights(4).check_in)
    with pytest.raises(StaleFencingToken):
        services.confirm(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    services.confirm(hold.id, token=hold.token, fencing_token=moved.fencing_token or 0)


def test_a_stay_may_move_over_nights_of_its_own(rooms: list[int], nights: SomeNights) -> None:
    stay = Placement(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.place_stays([stay])
    assert services.move_stay(stay.id, room=rooms[0], nights=nights(3, 4)).check_in == nights(3).check_in


def test_a_stay_is_not_moved_onto_another(rooms: list[int], nights: SomeNights) -> None:
    stay = Placement(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.place_stays([stay])
    services.acquire(rooms=rooms[1:2], nights=nights(4))
    with pytest.raises(RoomTaken):
        services.move_stay(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=stay.id).room_id == rooms[0]


def test_a_stay_moves_onto_what_has_lapsed(rooms: list[int], nights: SomeNights) -> None:
    stay = Placement(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.place_stays([stay])
    hold = services.acquire(rooms=rooms[1:2], nights=nights(4))
    lapse(hold.id)
    services.move_stay(stay.id, room=rooms[1], nights=nights(1, 4))
    assert Allocation.objects.get(id=hold.id).status == "expired"


def test_what_has_ended_is_not_moved(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire(rooms=rooms[:1], nights=nights(1))
    lapse(hold.id)
    with pytest.raises(HoldExpired):
        services.move_stay(hold.id, room=rooms[1], nights=nights(1))
    services.release(hold.id, token=hold.token)
    with pytest.raises(NotAStay):
        services.move_stay(hold.id, room=rooms[1], nights=nights(1))


def test_a_room_out_of_service_comes_back(rooms: list[int], nights: SomeNights) -> None:
    closed = services.take_out_of_service(room=rooms[0], nights=nights(1, 30), reason="new floor")
    with pytest.raises(RoomTaken):
        services.take_out_of_service(room=rooms[0], nights=nights(5), reason="paint")
    services.put_back_in_service(closed.id)
    services.acquire(rooms=rooms[:1], nights=nights(5))
    with pytest.raises(NotAStay):
        services.put_back_in_service(closed.id)


def test_a_cancelled_stay_frees_its_room(rooms: list[int], nights: SomeNights) -> None:
    stay = Placement(room=rooms[0], check_in=nights(1).check_in, check_out=nights(5).check_in)
    services.place_stays([stay])
    services.cancel_stay(stay.id)
    services.acquire(rooms=rooms[:1], nights=nights(1))
    with pytest.raises(NotAStay):
        services.cancel_stay(stay.id)
    with pytest.raises(NotAStay):
        services.put_back_in_service(stay.id)


def test_many_stays_are_placed_and_those_that_clash_are_handed_back(
    rooms: list[int], nights: SomeNights
) -> None:
    first, second, third = (
        Placement(room=rooms[0], check_in=nights(day).check_in, check_out=nights(day + 2).check_in)
        for day in (-9, -8, -7)
    )
    placed = services.place_stays([first, second, third])
    assert [len(placed.placed), len(placed.refused)] == [2, 1]
    [event] = events_of("stays.placed")
    assert event.data == {"placed": 2, "refused": 1}


def test_expiry_ends_what_has_lapsed_and_leaves_the_rest_due(rooms: list[int], nights: SomeNights) -> None:
    old = services.acquire(rooms=rooms[:1], nights=nights(1))
    new = services.acquire(rooms=rooms[:1], nights=nights(3))
    lapse(old.id)
    assert services.expire(ids=[old.id, new.id]) == [old.id]
    assert services.expire(ids=[old.id, new.id]) == []
    assert [event.subject_id for event in events_of("hold.expired")] == [str(old.id)]
    assert list(DueItem.objects.values_list("item_id", "due_at")) == [(new.id, new.expires_at)]


def test_force_releasing_what_never_was_is_unknown(rooms: list[int]) -> None:
    with pytest.raises(UnknownHold):
        services.force_release(uuid.uuid4(), reason="x")
