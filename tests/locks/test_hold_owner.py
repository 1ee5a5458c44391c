"""Tests of the operations of a hold's owner: extend, confirm, release and cancel."""

import uuid

import pytest
from django.db import connection

from audit import registry
from audit.models import Event
from locks import policy, services
from locks.errors import (
    HoldExpired,
    HoldNotFound,
    HoldStateError,
    InvalidHoldToken,
    StaleFencingToken,
    TooManyExtensions,
)
from locks.holds import Hold
from locks.models import Allocation
from locks.nights import Nights
from tenants.context import Actor, actor_context, hotel_context
from tenants.models import DueItem, Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire

pytestmark = pytest.mark.django_db


@pytest.fixture
def hold(rooms: list[int], nights: SomeNights) -> Hold:
    return services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))


@pytest.fixture
def group(rooms: list[int], nights: SomeNights) -> Hold:
    return services.acquire_hold(rooms=rooms, nights=nights(10, 2))


def fencing_token(hold: Hold) -> int:
    assert hold.fencing_token is not None
    return hold.fencing_token


def test_extend_adds_to_the_expiry_until_no_extensions_are_left(hold: Hold) -> None:
    assert hold.expires_at
    for left in range(policy.EXTENSIONS - 1, -1, -1):
        extended = services.extend_hold(hold.id, token=hold.token)
        assert extended.extensions_left == left
    assert extended.expires_at
    gained = (extended.expires_at - hold.expires_at).total_seconds()
    assert gained == policy.EXTENSIONS * policy.EXTENSION_SECONDS
    assert DueItem.objects.get(item_id=hold.id).due_at == extended.expires_at
    with pytest.raises(TooManyExtensions):
        services.extend_hold(hold.id, token=hold.token)


def test_extend_does_not_exceed_the_maximum_lifetime(hold: Hold) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_allocation SET max_expires_at = expires_at + interval '5 seconds'")
    extended = services.extend_hold(hold.id, token=hold.token)
    assert extended.expires_at
    assert hold.expires_at
    assert (extended.expires_at - hold.expires_at).total_seconds() == 5
    with pytest.raises(TooManyExtensions):
        services.extend_hold(hold.id, token=hold.token)


def test_repeated_confirmation_returns_the_same_stay_and_records_only_one_event(hold: Hold) -> None:
    services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold), reference="B-7")
    again = services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))
    stay = Allocation.objects.get(id=hold.id)
    assert (stay.status, stay.reference, again.status) == ("confirmed", "B-7", "confirmed")
    assert len(events_of("hold.confirmed")) == 1
    assert not DueItem.objects.filter(item_id=hold.id).exists()


def test_release_called_twice_frees_the_room_and_records_one_event(hold: Hold, rooms: list[int]) -> None:
    for _ in range(2):
        assert services.release_hold(hold.id, token=hold.token).status == "released"
    assert len(events_of("hold.released")) == 1
    services.acquire_hold(rooms=rooms[:1], nights=Nights(hold.check_in, hold.check_out))


def test_operations_without_the_token_of_the_hold_are_refused(hold: Hold) -> None:
    for token in (None, "", "guess", str(hold.token) + "x"):
        with pytest.raises(InvalidHoldToken):
            services.extend_hold(hold.id, token=token)
        with pytest.raises(InvalidHoldToken):
            services.release_hold(hold.id, token=token)
        with pytest.raises(InvalidHoldToken):
            services.confirm_hold(hold.id, token=token, fencing_token=fencing_token(hold))
    assert Allocation.objects.get(id=hold.id).status == "held"


def test_member_of_staff_can_extend_their_own_hold_without_a_token(
    rooms: list[int], nights: SomeNights
) -> None:
    ana = Actor(kind="user", id="1", label="Ana")
    with actor_context(ana):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with actor_context(Actor(kind="user", id="2", label="Ben")), pytest.raises(InvalidHoldToken):
        services.extend_hold(hold.id, token=None)
    # An API key with the same id as the person is a different owner.
    with actor_context(Actor(kind="key", id="1", label="Ana")), pytest.raises(InvalidHoldToken):
        services.extend_hold(hold.id, token=None)
    with actor_context(ana):
        services.extend_hold(hold.id, token=None)


def test_confirmation_in_another_hotel_finds_no_hold(hold: Hold, other_hotel: Hotel) -> None:
    with hotel_context(other_hotel), pytest.raises(HoldNotFound):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))


def test_release_of_an_unknown_id_raises_hold_not_found(rooms: list[int]) -> None:
    with pytest.raises(HoldNotFound):
        services.release_hold(uuid.uuid4(), token="x")


def test_confirmation_with_an_old_fencing_token_is_refused(hold: Hold) -> None:
    with pytest.raises(StaleFencingToken):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold) - 1)
    assert Allocation.objects.get(id=hold.id).status == "held"


def test_expired_hold_can_be_released_but_not_extended_or_confirmed(hold: Hold) -> None:
    expire(hold.id)
    with pytest.raises(HoldExpired):
        services.extend_hold(hold.id, token=hold.token)
    with pytest.raises(HoldExpired):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))
    services.release_hold(hold.id, token=hold.token)


def test_error_about_a_confirmed_or_released_hold_contains_its_status(hold: Hold, group: Hold) -> None:
    services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))
    for operation in (services.extend_hold, services.release_hold):
        with pytest.raises(HoldStateError) as refused:
            operation(hold.id, token=hold.token)
        assert refused.value.extra == {"hold_status": "confirmed"}
    services.release_hold(group.id, token=group.token)
    with pytest.raises(HoldStateError) as refused:
        services.extend_hold(group.id, token=group.token)
    assert refused.value.extra == {"hold_status": "released"}
    with pytest.raises(HoldStateError):
        services.confirm_hold(group.id, token=group.token, fencing_token=fencing_token(group))


def test_confirmation_of_a_group_with_an_expired_hold_confirms_nothing(group: Hold) -> None:
    expire(group.rooms[1].id)
    with pytest.raises(HoldExpired):
        services.confirm_hold(group.id, token=group.token, fencing_token=fencing_token(group))
    assert not Allocation.objects.filter(status="confirmed").exists()


def test_confirmation_of_a_group_confirms_the_rooms_that_were_not_released(group: Hold) -> None:
    services.release_hold(group.rooms[0].id, token=group.token)
    confirmed = services.confirm_hold(group.id, token=group.token, fencing_token=fencing_token(group))
    assert [room.number for room in confirmed.rooms] == ["102", "103"]


def test_cancel_called_twice_frees_the_room_and_records_one_event(
    hold: Hold, rooms: list[int], nights: SomeNights
) -> None:
    services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))
    assert services.cancel_confirmed_hold(hold.id, token=hold.token).status == "cancelled"
    assert services.cancel_confirmed_hold(hold.id, token=hold.token).status == "cancelled"
    assert len(events_of("stay.cancelled")) == 1
    services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))


def test_cancellation_of_a_group_cancels_all_its_stays(group: Hold) -> None:
    services.confirm_hold(group.id, token=group.token, fencing_token=fencing_token(group))
    assert len(services.cancel_confirmed_hold(group.id, token=group.token).rooms) == len(group.rooms)
    assert not Allocation.objects.filter(status="confirmed").exists()


def test_cancel_of_an_unconfirmed_hold_or_with_a_wrong_token_is_refused(hold: Hold) -> None:
    with pytest.raises(HoldStateError) as refused:
        services.cancel_confirmed_hold(hold.id, token=hold.token)
    assert refused.value.extra == {"hold_status": "held"}
    services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token(hold))
    with pytest.raises(InvalidHoldToken):
        services.cancel_confirmed_hold(hold.id, token="another's")
    assert Allocation.objects.get().status == "confirmed"


def test_audit_events_recorded_by_database_functions_have_the_registered_fields(
    rooms: list[int], nights: SomeNights
) -> None:
    first = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.extend_hold(first.id, token=first.token)
    services.release_hold(first.id, token=first.token)
    expire(services.acquire_hold(rooms=rooms[:1], nights=nights(1)).id)
    second = services.acquire_hold(rooms=rooms[:1], nights=nights(1), reference="B-1")
    services.confirm_hold(second.id, token=second.token, fencing_token=fencing_token(second))
    services.move_allocation(second.id, room=rooms[1], nights=nights(1))
    services.cancel_confirmed_hold(second.id, token=second.token)
    services.force_release_hold(services.acquire_hold(rooms=rooms[:1], nights=nights(1)).id, reason="x")
    services.reopen_room(services.close_room(room=rooms[0], nights=nights(1), reason="paint").id)
    events = list(Event.objects.filter(event__regex=r"^(hold|stay|room)\.(?!created|changed)"))
    assert {event.event for event in events} == {
        "hold.acquired", "hold.extended", "hold.released", "hold.expired", "hold.confirmed", "hold.forced",
        "stay.moved", "stay.cancelled", "room.closed", "room.reopened",
    }  # fmt: skip
    for event in events:
        event_type = registry.get(event.event)
        event_type.check_fields(event.fields)
        assert event.data.keys() == event_type.fields
