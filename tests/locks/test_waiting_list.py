"""Tests of the waiting list: free rooms are offered to the oldest entry before other clients can hold them."""

import datetime

import pytest
from django.db import connection

from locks import selectors, services
from locks.errors import InvalidCheckIn, RoomNotFound, RoomUnavailable
from locks.holds import Hold
from locks.models import Allocation, AllocationStatus, Room
from locks.nights import Nights
from locks.waiting_list import policy
from locks.waiting_list.errors import (
    NoOpenOffer,
    OfferAlreadyClaimed,
    OfferExpired,
    TooManyWaitingListEntries,
    WaitingListEntryNotFound,
)
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from locks.waiting_list.offers import process_entry
from locks.waiting_list.services import NewEntry, cancel_entry, claim_offer, create_entry
from tenants.context import Actor, actor_context
from tenants.models import DueItem
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire, run_due_tasks

pytestmark = pytest.mark.django_db

KEY = Actor(kind="key", id="k1", label="booking engine")
OTHER_KEY = Actor(kind="key", id="k2", label="another")


def create(
    nights: Nights, *, room: int | None = None, room_type: str = "", guests: int = 1
) -> WaitingListEntry:
    with actor_context(KEY):
        return create_entry(NewEntry(nights=nights, room=room, room_type=room_type, guests=guests))


def status_of(entry: WaitingListEntry) -> str:
    entry.refresh_from_db()
    return entry.status


@pytest.fixture
def all_held(rooms: list[int], nights: SomeNights) -> list[Hold]:
    """Holds on all rooms, each for three nights from tomorrow."""
    return [services.acquire_hold(rooms=[room], nights=nights(1, 3)) for room in rooms]


def test_room_that_becomes_free_is_offered_to_the_oldest_entry(
    all_held: list[Hold], nights: SomeNights
) -> None:
    first, second = (create(nights(1, 3), room_type="double") for _ in range(2))
    assert [status_of(first), status_of(second)] == ["waiting", "waiting"]
    services.release_hold(all_held[1].id, token=all_held[1].token)
    run_due_tasks()
    assert [status_of(first), status_of(second)] == ["offered", "waiting"]
    assert first.hold_id is not None
    offer = selectors.get_hold(first.hold_id)
    assert (offer.status, offer.rooms[0].room_id, offer.check_in) == (
        "held",
        all_held[1].rooms[0].room_id,
        nights(1).check_in,
    )
    assert policy.OFFER_SECONDS - 5 < offer.seconds_left <= policy.OFFER_SECONDS
    assert [event.data["waiting_list_entry"] for event in events_of("waiting_list.offered")] == [
        str(first.id)
    ]


def test_acquisition_before_the_worker_runs_offers_the_room_to_the_waiting_list(
    all_held: list[Hold], nights: SomeNights
) -> None:
    entry = create(nights(1, 3), room_type="double")
    services.release_hold(all_held[0].id, token=all_held[0].token)
    with actor_context(OTHER_KEY), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[all_held[0].rooms[0].room_id], nights=nights(2, 1))
    assert status_of(entry) == "offered"


def test_requested_rooms_are_first_offered_to_the_waiting_list(
    all_held: list[Hold], nights: SomeNights
) -> None:
    entry = create(nights(1, 3), room_type="double")
    for hold in all_held[:2]:
        services.release_hold(hold.id, token=hold.token)
    with actor_context(OTHER_KEY), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[hold.rooms[0].room_id for hold in all_held[:2]], nights=nights(1, 3))
    assert status_of(entry) == "offered"
    assert Allocation.objects.filter(status=AllocationStatus.HELD).count() == 2


def test_room_with_an_expired_hold_is_first_offered_to_the_waiting_list(
    all_held: list[Hold], nights: SomeNights
) -> None:
    entry = create(nights(1, 3), room=all_held[0].rooms[0].room_id)
    expire(all_held[0].id)
    with actor_context(OTHER_KEY), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[all_held[0].rooms[0].room_id], nights=nights(1, 3))
    assert status_of(entry) == "offered"


def test_waiting_list_entry_whose_nights_are_not_all_free_does_not_block_other_clients(
    all_held: list[Hold], nights: SomeNights
) -> None:
    room = all_held[0].rooms[0].room_id
    services.close_room(room=room, nights=nights(4, 1), reason="paint")
    longer = create(nights(1, 4), room=room)
    services.release_hold(all_held[0].id, token=all_held[0].token)
    with actor_context(OTHER_KEY):
        assert services.acquire_hold(rooms=[room], nights=nights(1, 3)).status == "held"
    run_due_tasks()
    assert status_of(longer) == "waiting"


@pytest.mark.parametrize(
    "by", ["release", "expiry", "force", "cancel", "move", "service", "group", "owner's cancel"]
)
def test_every_operation_that_frees_a_room_leads_to_an_offer(
    rooms: list[int], nights: SomeNights, by: str
) -> None:
    some = nights(1, 3)
    if by == "service":
        allocation = services.close_room(room=rooms[0], nights=some, reason="paint").id
    else:
        hold = services.acquire_hold(rooms=rooms[:2] if by == "group" else rooms[:1], nights=some)
        allocation = hold.id
        if by in {"cancel", "move", "owner's cancel"}:
            services.confirm_hold(allocation, token=hold.token, fencing_token=hold.fencing_token or 0)
    entry = create(some, room=rooms[0])
    match by:
        case "release" | "group":
            services.release_hold(allocation, token=hold.token)
        case "expiry":
            expire(allocation)
            services.expire_holds(ids=[allocation])
        case "force":
            services.force_release_hold(allocation, reason="no-show")
        case "cancel":
            services.cancel_stay(allocation)
        case "owner's cancel":
            services.cancel_confirmed_hold(allocation, token=hold.token)
        case "move":
            services.move_allocation(allocation, room=rooms[2], nights=some)
        case "service":
            services.reopen_room(allocation)
    run_due_tasks()
    assert status_of(entry) == "offered"


def test_offer_that_expires_is_followed_by_an_offer_to_the_next_entry(
    all_held: list[Hold], nights: SomeNights
) -> None:
    first, second = (create(nights(1, 3), room_type="double") for _ in range(2))
    services.release_hold(all_held[0].id, token=all_held[0].token)
    run_due_tasks()
    status_of(first)
    expire(first.hold_id)  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_dueitem SET claim_at = now(), due_at = now() WHERE item_id = %s",
            [first.hold_id],
        )
    run_due_tasks()
    assert [status_of(first), status_of(second)] == ["expired", "offered"]
    assert len(events_of("waiting_list.offer_expired")) == 1
    with actor_context(KEY), pytest.raises(OfferExpired):
        claim_offer(first.id)


def test_claiming_an_offer_returns_the_hold_token_only_once(all_held: list[Hold], nights: SomeNights) -> None:
    entry = create(nights(1, 3), room_type="double")
    with actor_context(KEY), pytest.raises(NoOpenOffer):
        claim_offer(entry.id)
    services.release_hold(all_held[0].id, token=all_held[0].token)
    run_due_tasks()
    with actor_context(OTHER_KEY), pytest.raises(WaitingListEntryNotFound):
        claim_offer(entry.id)
    with actor_context(KEY):
        hold = claim_offer(entry.id)
        assert hold.token
        with pytest.raises(OfferAlreadyClaimed):
            claim_offer(entry.id)
        services.extend_hold(hold.id, token=hold.token)
        assert (
            services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0).status
            == "confirmed"
        )
    assert status_of(entry) == "claimed"


def test_room_offered_to_a_cancelled_entry_is_offered_to_the_next_entry(
    all_held: list[Hold], nights: SomeNights
) -> None:
    first, second = (create(nights(1, 3), room_type="double") for _ in range(2))
    services.release_hold(all_held[0].id, token=all_held[0].token)
    run_due_tasks()
    with actor_context(OTHER_KEY), pytest.raises(WaitingListEntryNotFound):
        cancel_entry(first.id)
    with actor_context(KEY):
        cancel_entry(first.id)
        cancel_entry(first.id)
    run_due_tasks()
    assert [status_of(first), status_of(second)] == ["cancelled", "offered"]


def test_new_waiting_list_entry_for_a_free_room_gets_an_offer_immediately(
    rooms: list[int], nights: SomeNights
) -> None:
    assert status_of(create(nights(1, 2), room_type="double")) == "offered"


def test_room_that_becomes_free_for_many_nights_is_offered_to_several_entries(
    rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 6))
    entries = [create(nights(start, 2), room=rooms[0]) for start in (1, 2, 3, 5)]
    services.release_hold(hold.id, token=hold.token)
    run_due_tasks()
    assert [status_of(entry) for entry in entries] == ["offered", "waiting", "offered", "offered"]


def test_room_that_is_too_small_is_not_offered(rooms: list[int], nights: SomeNights) -> None:
    services.create_room(services.NewRoom(number="201", room_type="double", capacity=4))
    large_room = Room.objects.get(number="201").pk
    holds = {room: services.acquire_hold(rooms=[room], nights=nights(1, 1)) for room in [*rooms, large_room]}
    family = create(nights(1, 1), room_type="double", guests=4)
    services.release_hold(holds[rooms[0]].id, token=holds[rooms[0]].token)
    run_due_tasks()
    assert status_of(family) == "waiting"
    services.release_hold(holds[large_room].id, token=holds[large_room].token)
    run_due_tasks()
    assert status_of(family) == "offered"


def test_waiting_list_entry_expires_when_it_is_processed_after_its_check_in_date(
    all_held: list[Hold], nights: SomeNights
) -> None:
    entry = create(nights(1, 3), room_type="double")
    past = nights(-2, 3)
    WaitingListEntry.objects.filter(id=entry.id).update(nights=(past.check_in, past.check_out))
    process_entry(entry.id)
    assert status_of(entry) == "expired"
    assert not DueItem.objects.filter(kind="waiting", item_id=entry.id).exists()


def test_waiting_list_entry_is_due_again_when_its_check_in_date_ends(
    all_held: list[Hold], nights: SomeNights
) -> None:
    entry = create(nights(1, 3), room_type="double")
    process_entry(entry.id)
    [item] = DueItem.objects.filter(kind="waiting", item_id=entry.id)
    due_date = item.due_at.astimezone(datetime.timezone(datetime.timedelta()))
    assert abs((due_date.date() - nights(2).check_in).days) <= 1
    assert item.due_at > entry.joined_at + datetime.timedelta(hours=20)


def test_waiting_list_entry_with_an_unknown_room_past_date_or_exceeded_limit_is_refused(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RoomNotFound):
        create(nights(1), room=10**6)
    with pytest.raises(RoomNotFound):
        create(nights(1), room_type="double", guests=9)
    with pytest.raises(InvalidCheckIn):
        create(nights(-1), room_type="double")
    monkeypatch.setattr(policy, "MAX_ENTRIES_PER_CLIENT", 1)
    create(nights(1), room_type="double")
    with pytest.raises(TooManyWaitingListEntries):
        create(nights(1), room_type="double")


def test_waiting_list_entry_is_claimed_when_staff_confirm_the_offered_hold(
    all_held: list[Hold], nights: SomeNights
) -> None:
    """A member of staff who created a waiting list entry can confirm the offered hold without a token."""
    staff = Actor(kind="user", id="u1", label="front desk")
    with actor_context(staff):
        entry = create_entry(NewEntry(nights=nights(1, 3), room_type="double"))
        services.release_hold(all_held[0].id, token=all_held[0].token)
        run_due_tasks()
        status_of(entry)
        offer = selectors.get_hold(entry.hold_id)  # type: ignore[arg-type]
        services.confirm_hold(offer.id, token=None, fencing_token=offer.fencing_token or 0)
    assert status_of(entry) == WaitingStatus.CLAIMED


def test_room_that_is_created_or_enlarged_is_offered_to_the_waiting_list(
    all_held: list[Hold], nights: SomeNights
) -> None:
    first, family = (create(nights(1, 3), room_type="double", guests=guests) for guests in (1, 2))
    new = services.create_room(services.NewRoom(number="301", room_type="double", capacity=1))
    run_due_tasks()
    assert [status_of(first), status_of(family)] == ["offered", "waiting"]
    services.force_release_hold(first.hold_id, reason="guest called")  # type: ignore[arg-type]
    services.change_room(new, changes={"capacity": 4})
    run_due_tasks()
    assert status_of(family) == "offered"
