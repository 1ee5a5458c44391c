"""Property tests of holds: random sequences of actions are compared with a small model."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from locks import policy, selectors, services
from locks.board.grid import read_grid
from locks.errors import (
    AllocationStateError,
    HoldExpired,
    HoldStateError,
    InvalidHoldToken,
    RoomUnavailable,
    StaleFencingToken,
    TooManyExtensions,
)
from locks.holds import Hold
from locks.models import AllocationStatus
from locks.nights import Nights
from tenants.errors import DomainError
from tests.locks.helpers import expire
from tests.races.overlaps import OVERLAPS

HORIZON = 12
ROOMS = 2

NIGHT_RANGES = st.tuples(st.integers(0, HORIZON - 1), st.integers(1, 4))
ROOM_NUMBERS = st.integers(0, ROOMS - 1)


@dataclass
class Expected:
    """The state that the model expects of one hold."""

    room: int
    first: int
    last: int
    status: AllocationStatus = AllocationStatus.HELD
    extensions: int = policy.EXTENSIONS
    lapsed: bool = False

    @property
    def blocks(self) -> bool:
        return self.status in {AllocationStatus.CONFIRMED, AllocationStatus.CLOSED} or (
            self.status is AllocationStatus.HELD and not self.lapsed
        )

    def overlaps(self, room: int, first: int, last: int) -> bool:
        return self.room == room and self.first < last and first < self.last

    def ended(self) -> type[DomainError] | None:
        """Return the error that the owner receives when using the hold, or None if it can be used."""
        if self.status is AllocationStatus.HELD:
            return HoldExpired if self.lapsed else None
        return {
            AllocationStatus.CONFIRMED: HoldStateError,
            AllocationStatus.RELEASED: HoldStateError,
            AllocationStatus.EXPIRED: HoldExpired,
        }[self.status]


class Life(RuleBasedStateMachine):
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.rooms = services.ensure_rooms({"double": ROOMS})["double"]
        self.today = selectors.today()
        self.expected: dict[Hold, Expected] = {}
        self.fences: dict[int, int] = dict.fromkeys(range(ROOMS), 0)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def nights(self, first: int, last: int) -> Nights:
        day = datetime.timedelta(days=1)
        return Nights(self.today + first * day, self.today + last * day)

    def taken(self, room: int, first: int, last: int, *, but: Expected | None = None) -> bool:
        return any(
            other.blocks and other is not but and other.overlaps(room, first, last)
            for other in self.expected.values()
        )

    def refused_or_done(self, error: type[DomainError] | None, act: Callable[[], object]) -> bool:
        """Call `act` in a savepoint, check that it raises `error` if given, and return whether it succeeded."""
        refusal: type[DomainError] | None = None
        try:
            with transaction.atomic():
                act()
        except DomainError as refused:
            refusal = type(refused)
        assert refusal is error
        return refusal is None

    @rule(target=holds, room=ROOM_NUMBERS, wish=NIGHT_RANGES)
    def acquire(self, room: int, wish: tuple[int, int]) -> Hold | None:
        first, last = wish[0], wish[0] + wish[1]
        made: list[Hold] = []
        error = RoomUnavailable if self.taken(room, first, last) else None
        if not self.refused_or_done(
            error,
            lambda: made.append(
                services.acquire_hold(rooms=[self.rooms[room]], nights=self.nights(first, last))
            ),
        ):
            return None
        [hold] = made
        for other in self.expected.values():
            if other.status is AllocationStatus.HELD and other.lapsed and other.overlaps(room, first, last):
                other.status = AllocationStatus.EXPIRED
        self.expected[hold] = Expected(room, first, last)
        assert (hold.fencing_token or 0) > self.fences[room]
        self.fences[room] = hold.fencing_token or 0
        return hold

    @rule(hold=holds)
    def extend(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = expected.ended() or (None if expected.extensions else TooManyExtensions)
        if self.refused_or_done(error, lambda: services.extend_hold(hold.id, token=hold.token)):
            expected.extensions -= 1

    @rule(hold=holds)
    def release(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = HoldStateError if expected.status is AllocationStatus.CONFIRMED else None
        if self.refused_or_done(error, lambda: services.release_hold(hold.id, token=hold.token)) and (
            expected.status is AllocationStatus.HELD
        ):
            expected.status = AllocationStatus.RELEASED

    @rule(hold=holds)
    def confirm(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = None if expected.status is AllocationStatus.CONFIRMED else expected.ended()
        if self.refused_or_done(
            error,
            lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0),
        ):
            expected.status = AllocationStatus.CONFIRMED

    @rule(hold=holds, act=st.sampled_from([services.extend_hold, services.release_hold]))
    def act_without_the_token(self, hold: Hold | None, act: Callable[..., object]) -> None:
        if hold is not None:
            self.refused_or_done(InvalidHoldToken, lambda: act(hold.id, token="guess"))

    @rule(hold=holds)
    def confirm_with_an_old_fence(self, hold: Hold | None) -> None:
        if hold is not None:
            fencing_token = (hold.fencing_token or 0) - 1
            self.refused_or_done(
                StaleFencingToken,
                lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token),
            )

    @rule(hold=holds)
    def let_it_lapse(self, hold: Hold | None) -> None:
        if hold is not None:
            self.expected[hold].lapsed = True
            expire(hold.id)

    @rule()
    def sweep(self) -> None:
        lapsed = {
            hold.id: expected
            for hold, expected in self.expected.items()
            if expected.status is AllocationStatus.HELD and expected.lapsed
        }
        assert set(services.expire_holds(ids=[hold.id for hold in self.expected])) == set(lapsed)
        for expected in lapsed.values():
            expected.status = AllocationStatus.EXPIRED

    @rule(hold=consumes(holds), room=ROOM_NUMBERS, wish=NIGHT_RANGES)
    def move(self, hold: Hold | None, room: int, wish: tuple[int, int]) -> None:
        """Move the hold as staff do.

        The owner's fencing token is outdated then, so the test does not use the hold again.
        """
        if hold is None:
            return
        expected, first, last = self.expected[hold], wish[0], wish[0] + wish[1]
        error: type[DomainError] | None = None
        if expected.status not in {AllocationStatus.HELD, AllocationStatus.CONFIRMED}:
            error = AllocationStateError
        elif expected.status is AllocationStatus.HELD and expected.lapsed:
            error = HoldExpired
        elif self.taken(room, first, last, but=expected):
            error = RoomUnavailable
        nights = self.nights(first, last)
        moved = self.refused_or_done(
            error, lambda: services.move_allocation(hold.id, room=self.rooms[room], nights=nights)
        )
        if moved:
            expected.room, expected.first, expected.last = room, first, last
            self.fences[room] = max(self.fences[room], self.fence_of(room))
            for other in self.expected.values():
                lapsed = other.status is AllocationStatus.HELD and other.lapsed
                if lapsed and other.overlaps(room, first, last):
                    other.status = AllocationStatus.EXPIRED

    def fence_of(self, room: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT fencing_token FROM locks_room WHERE id = %s", [self.rooms[room]])
            [fencing_token] = cursor.fetchone()
        return int(fencing_token)

    @invariant()
    def nothing_overlaps(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(OVERLAPS)
            assert cursor.fetchone() == (0,)

    @invariant()
    def the_board_shows_what_the_model_says(self) -> None:
        shown = {
            (self.rooms.index(row.id), bar.first - 1, bar.first - 1 + bar.length, bar.status)
            for row in read_grid(first=self.today, nights=HORIZON + 5).rows
            for bar in row.bars
        }
        assert shown == {
            (one.room, one.first, one.last, one.status) for one in self.expected.values() if one.blocks
        }


@pytest.mark.django_db
@pytest.mark.usefixtures("in_hotel")
def test_a_hold_lives_as_the_model_says() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
