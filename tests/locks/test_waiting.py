"""The waiting list: first come, first offered, and nobody in between."""

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
from tests.locks.helpers import events_of, lapse, work

pytestmark = pytest.mark.django_db

KEY = Actor(kind="key", id="k1", label="booking engine")
RIVAL = Actor(kind="key", id="k2", label="another")


def join(
    nights: Nights, *, room: int | None = None, room_type: str = "", guests: int = 1
) -> WaitingListEntry:
    with actor_context(KEY):
        return create_entry(NewEntry(nights=nights, room=room, room_type=room_type, guests=guests))


def state(entry: WaitingListEntry) -> str:
    entry.refresh_from_db()
    return entry.status


@pytest.fixture
def full(rooms: list[int], nights: SomeNights) -> list[Hold]:
    """Each room is held for the nights 1 to 4."""
    return [services.acquire_hold(rooms=[room], nights=nights(1, 3)) for room in rooms]


def test_who_came_first_is_offered_first(full: list[Hold], nights: SomeNights) -> None:
    first, second = (join(nights(1, 3), room_type="double") for _ in range(2))
    assert [state(first), state(second)] == ["waiting", "waiting"]
    services.release_hold(full[1].id, token=full[1].token)
    work()
    assert [state(first), state(second)] == ["offered", "waiting"]
    assert first.hold_id is not None
    offer = selectors.hold(first.hold_id)
    assert (offer.status, offer.rooms[0].room_id, offer.check_in) == (
        "held",
        full[1].rooms[0].room_id,
        nights(1).check_in,
    )
    assert policy.OFFER_SECONDS - 5 < offer.seconds_left <= policy.OFFER_SECONDS
    assert [event.data["waiting_list_entry"] for event in events_of("waiting_list.offered")] == [
        str(first.id)
    ]


def test_a_rival_who_asks_before_the_worker_looks_serves_the_line(
    full: list[Hold], nights: SomeNights
) -> None:
    entry = join(nights(1, 3), room_type="double")
    services.release_hold(full[0].id, token=full[0].token)
    with actor_context(RIVAL), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[full[0].rooms[0].room_id], nights=nights(2, 1))
    assert state(entry) == "offered"


def test_a_rival_for_several_rooms_serves_the_line_too(full: list[Hold], nights: SomeNights) -> None:
    entry = join(nights(1, 3), room_type="double")
    for hold in full[:2]:
        services.release_hold(hold.id, token=hold.token)
    with actor_context(RIVAL), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[hold.rooms[0].room_id for hold in full[:2]], nights=nights(1, 3))
    assert state(entry) == "offered"
    assert Allocation.objects.filter(status=AllocationStatus.HELD).count() == 2


def test_a_rival_who_finds_a_lapsed_hold_serves_the_line(full: list[Hold], nights: SomeNights) -> None:
    entry = join(nights(1, 3), room=full[0].rooms[0].room_id)
    lapse(full[0].id)
    with actor_context(RIVAL), pytest.raises(RoomUnavailable):
        services.acquire_hold(rooms=[full[0].rooms[0].room_id], nights=nights(1, 3))
    assert state(entry) == "offered"


def test_who_can_t_have_the_room_on_all_nights_keeps_nobody_out(full: list[Hold], nights: SomeNights) -> None:
    room = full[0].rooms[0].room_id
    services.close_room(room=room, nights=nights(4, 1), reason="paint")
    longer = join(nights(1, 4), room=room)
    services.release_hold(full[0].id, token=full[0].token)
    with actor_context(RIVAL):
        assert services.acquire_hold(rooms=[room], nights=nights(1, 3)).status == "held"
    work()
    assert state(longer) == "waiting"


@pytest.mark.parametrize(
    "by", ["release", "expiry", "force", "cancel", "move", "service", "group", "owner's cancel"]
)
def test_whatever_frees_a_room_is_an_offer(rooms: list[int], nights: SomeNights, by: str) -> None:
    some = nights(1, 3)
    if by == "service":
        taken = services.close_room(room=rooms[0], nights=some, reason="paint").id
    else:
        hold = services.acquire_hold(rooms=rooms[:2] if by == "group" else rooms[:1], nights=some)
        taken = hold.id
        if by in {"cancel", "move", "owner's cancel"}:
            services.confirm_hold(taken, token=hold.token, fencing_token=hold.fencing_token or 0)
    entry = join(some, room=rooms[0])
    match by:
        case "release" | "group":
            services.release_hold(taken, token=hold.token)
        case "expiry":
            lapse(taken)
            services.expire_holds(ids=[taken])
        case "force":
            services.force_release_hold(taken, reason="no-show")
        case "cancel":
            services.cancel_stay(taken)
        case "owner's cancel":
            services.cancel_confirmed_hold(taken, token=hold.token)
        case "move":
            services.move_allocation(taken, room=rooms[2], nights=some)
        case "service":
            services.reopen_room(taken)
    work()
    assert state(entry) == "offered"


def test_an_offer_that_is_not_taken_up_goes_to_the_next(full: list[Hold], nights: SomeNights) -> None:
    first, second = (join(nights(1, 3), room_type="double") for _ in range(2))
    services.release_hold(full[0].id, token=full[0].token)
    work()
    state(first)
    lapse(first.hold_id)  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_dueitem SET claim_at = now(), due_at = now() WHERE item_id = %s",
            [first.hold_id],
        )
    work()
    assert [state(first), state(second)] == ["expired", "offered"]
    assert len(events_of("waiting_list.offer_expired")) == 1
    with actor_context(KEY), pytest.raises(OfferExpired):
        claim_offer(first.id)


def test_a_claim_gives_the_token_once_and_a_hold_like_any_other(full: list[Hold], nights: SomeNights) -> None:
    entry = join(nights(1, 3), room_type="double")
    with actor_context(KEY), pytest.raises(NoOpenOffer):
        claim_offer(entry.id)
    services.release_hold(full[0].id, token=full[0].token)
    work()
    with actor_context(RIVAL), pytest.raises(WaitingListEntryNotFound):
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
    assert state(entry) == "claimed"


def test_who_leaves_gives_the_offer_to_the_next(full: list[Hold], nights: SomeNights) -> None:
    first, second = (join(nights(1, 3), room_type="double") for _ in range(2))
    services.release_hold(full[0].id, token=full[0].token)
    work()
    with actor_context(RIVAL), pytest.raises(WaitingListEntryNotFound):
        cancel_entry(first.id)
    with actor_context(KEY):
        cancel_entry(first.id)
        cancel_entry(first.id)
    work()
    assert [state(first), state(second)] == ["cancelled", "offered"]


def test_a_room_that_is_free_already_is_offered_at_once(rooms: list[int], nights: SomeNights) -> None:
    assert state(join(nights(1, 2), room_type="double")) == "offered"


def test_one_room_that_becomes_free_for_long_serves_several(rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 6))
    entries = [join(nights(start, 2), room=rooms[0]) for start in (1, 2, 3, 5)]
    services.release_hold(hold.id, token=hold.token)
    work()
    assert [state(entry) for entry in entries] == ["offered", "waiting", "offered", "offered"]


def test_who_needs_a_larger_room_is_not_offered_a_small_one(rooms: list[int], nights: SomeNights) -> None:
    services.create_room(services.NewRoom(number="201", room_type="double", capacity=4))
    large = Room.objects.get(number="201").pk
    holds = {room: services.acquire_hold(rooms=[room], nights=nights(1, 1)) for room in [*rooms, large]}
    family = join(nights(1, 1), room_type="double", guests=4)
    services.release_hold(holds[rooms[0]].id, token=holds[rooms[0]].token)
    work()
    assert state(family) == "waiting"
    services.release_hold(holds[large].id, token=holds[large].token)
    work()
    assert state(family) == "offered"


def test_whose_day_has_passed_waits_no_longer(full: list[Hold], nights: SomeNights) -> None:
    entry = join(nights(1, 3), room_type="double")
    passed = nights(-2, 3)
    WaitingListEntry.objects.filter(id=entry.id).update(nights=(passed.check_in, passed.check_out))
    process_entry(entry.id)
    assert state(entry) == "expired"
    assert not DueItem.objects.filter(kind="waiting", item_id=entry.id).exists()


def test_it_is_due_again_at_midnight_after_its_day(full: list[Hold], nights: SomeNights) -> None:
    entry = join(nights(1, 3), room_type="double")
    process_entry(entry.id)
    [item] = DueItem.objects.filter(kind="waiting", item_id=entry.id)
    local = item.due_at.astimezone(datetime.timezone(datetime.timedelta()))
    assert abs((local.date() - nights(2).check_in).days) <= 1
    assert item.due_at > entry.joined_at + datetime.timedelta(hours=20)


def test_what_can_t_be_waited_for(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RoomNotFound):
        join(nights(1), room=10**6)
    with pytest.raises(RoomNotFound):
        join(nights(1), room_type="double", guests=9)
    with pytest.raises(InvalidCheckIn):
        join(nights(-1), room_type="double")
    monkeypatch.setattr(policy, "MAX_ENTRIES_PER_CLIENT", 1)
    join(nights(1), room_type="double")
    with pytest.raises(TooManyWaitingListEntries):
        join(nights(1), room_type="double")


def test_the_entry_of_a_confirmed_offer_is_claimed(full: list[Hold], nights: SomeNights) -> None:
    """Staff need no token for what is their own."""
    desk = Actor(kind="user", id="u1", label="front desk")
    with actor_context(desk):
        entry = create_entry(NewEntry(nights=nights(1, 3), room_type="double"))
        services.release_hold(full[0].id, token=full[0].token)
        work()
        state(entry)
        offer = selectors.hold(entry.hold_id)  # type: ignore[arg-type]
        services.confirm_hold(offer.id, token=None, fencing_token=offer.fencing_token or 0)
    assert state(entry) == WaitingStatus.CLAIMED


def test_a_new_room_and_a_larger_one_are_for_who_waits(full: list[Hold], nights: SomeNights) -> None:
    first, family = (join(nights(1, 3), room_type="double", guests=guests) for guests in (1, 2))
    new = services.create_room(services.NewRoom(number="301", room_type="double", capacity=1))
    work()
    assert [state(first), state(family)] == ["offered", "waiting"]
    services.force_release_hold(first.hold_id, reason="went away")  # type: ignore[arg-type]
    services.change_room(new, changes={"capacity": 4})
    work()
    assert state(family) == "offered"
