"""A property test of holds. It compares the results of random operations with a small model in Python."""

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
    """The state that the database is expected to contain for an allocation."""

    room: int
    first: int
    last: int
    status: AllocationStatus = AllocationStatus.HELD
    extensions: int = policy.EXTENSIONS
    has_expired: bool = False

    @property
    def blocks(self) -> bool:
        return self.status in {AllocationStatus.CONFIRMED, AllocationStatus.CLOSED} or (
            self.status is AllocationStatus.HELD and not self.has_expired
        )

    def overlaps(self, room: int, first: int, last: int) -> bool:
        return self.room == room and self.first < last and first < self.last

    def expected_error(self) -> type[DomainError] | None:
        """Return the error that the owner's operations on the hold must raise, or None if they must succeed."""
        if self.status is AllocationStatus.HELD:
            return HoldExpired if self.has_expired else None
        return {
            AllocationStatus.CONFIRMED: HoldStateError,
            AllocationStatus.RELEASED: HoldStateError,
            AllocationStatus.EXPIRED: HoldExpired,
        }[self.status]


class HoldOperations(RuleBasedStateMachine):
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.rooms = services.ensure_rooms({"double": ROOMS})["double"]
        self.today = selectors.today()
        self.expected: dict[Hold, Expected] = {}
        self.fencing_tokens: dict[int, int] = dict.fromkeys(range(ROOMS), 0)

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

    def succeeds(self, error: type[DomainError] | None, operation: Callable[[], object]) -> bool:
        """Assert that the operation raises `error`, or no error if `error` is None.

        Return whether the operation succeeded.
        """
        refusal: type[DomainError] | None = None
        try:
            with transaction.atomic():
                operation()
        except DomainError as refused:
            refusal = type(refused)
        assert refusal is error
        return refusal is None

    @rule(target=holds, room=ROOM_NUMBERS, wish=NIGHT_RANGES)
    def acquire(self, room: int, wish: tuple[int, int]) -> Hold | None:
        first, last = wish[0], wish[0] + wish[1]
        made: list[Hold] = []
        error = RoomUnavailable if self.taken(room, first, last) else None
        if not self.succeeds(
            error,
            lambda: made.append(
                services.acquire_hold(rooms=[self.rooms[room]], nights=self.nights(first, last))
            ),
        ):
            return None
        [hold] = made
        for other in self.expected.values():
            if (
                other.status is AllocationStatus.HELD
                and other.has_expired
                and other.overlaps(room, first, last)
            ):
                other.status = AllocationStatus.EXPIRED
        self.expected[hold] = Expected(room, first, last)
        assert (hold.fencing_token or 0) > self.fencing_tokens[room]
        self.fencing_tokens[room] = hold.fencing_token or 0
        return hold

    @rule(hold=holds)
    def extend(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = expected.expected_error() or (None if expected.extensions else TooManyExtensions)
        if self.succeeds(error, lambda: services.extend_hold(hold.id, token=hold.token)):
            expected.extensions -= 1

    @rule(hold=holds)
    def release(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = HoldStateError if expected.status is AllocationStatus.CONFIRMED else None
        if self.succeeds(error, lambda: services.release_hold(hold.id, token=hold.token)) and (
            expected.status is AllocationStatus.HELD
        ):
            expected.status = AllocationStatus.RELEASED

    @rule(hold=holds)
    def confirm(self, hold: Hold | None) -> None:
        if hold is None:
            return
        expected = self.expected[hold]
        error = None if expected.status is AllocationStatus.CONFIRMED else expected.expected_error()
        if self.succeeds(
            error,
            lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0),
        ):
            expected.status = AllocationStatus.CONFIRMED

    @rule(hold=holds, operation=st.sampled_from([services.extend_hold, services.release_hold]))
    def use_a_wrong_token(self, hold: Hold | None, operation: Callable[..., object]) -> None:
        if hold is not None:
            self.succeeds(InvalidHoldToken, lambda: operation(hold.id, token="guess"))

    @rule(hold=holds)
    def confirm_with_an_old_fencing_token(self, hold: Hold | None) -> None:
        if hold is not None:
            fencing_token = (hold.fencing_token or 0) - 1
            self.succeeds(
                StaleFencingToken,
                lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=fencing_token),
            )

    @rule(hold=holds)
    def let_the_hold_expire(self, hold: Hold | None) -> None:
        if hold is not None:
            self.expected[hold].has_expired = True
            expire(hold.id)

    @rule()
    def end_expired_holds(self) -> None:
        expired = {
            hold.id: expected
            for hold, expected in self.expected.items()
            if expected.status is AllocationStatus.HELD and expected.has_expired
        }
        assert set(services.expire_holds(ids=[hold.id for hold in self.expected])) == set(expired)
        for expected in expired.values():
            expected.status = AllocationStatus.EXPIRED

    @rule(hold=consumes(holds), room=ROOM_NUMBERS, wish=NIGHT_RANGES)
    def move(self, hold: Hold | None, room: int, wish: tuple[int, int]) -> None:
        """Move the hold, which only staff can do.

        The move makes the owner's fencing token invalid, so later steps of the test do not use the hold.
        """
        if hold is None:
            return
        expected, first, last = self.expected[hold], wish[0], wish[0] + wish[1]
        error: type[DomainError] | None = None
        if expected.status not in {AllocationStatus.HELD, AllocationStatus.CONFIRMED}:
            error = AllocationStateError
        elif expected.status is AllocationStatus.HELD and expected.has_expired:
            error = HoldExpired
        elif self.taken(room, first, last, but=expected):
            error = RoomUnavailable
        nights = self.nights(first, last)
        moved = self.succeeds(
            error, lambda: services.move_allocation(hold.id, room=self.rooms[room], nights=nights)
        )
        if moved:
            expected.room, expected.first, expected.last = room, first, last
            self.fencing_tokens[room] = max(self.fencing_tokens[room], self.fencing_token_of(room))
            for other in self.expected.values():
                is_expired_hold = other.status is AllocationStatus.HELD and other.has_expired
                if is_expired_hold and other.overlaps(room, first, last):
                    other.status = AllocationStatus.EXPIRED

    def fencing_token_of(self, room: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT fencing_token FROM locks_room WHERE id = %s", [self.rooms[room]])
            [fencing_token] = cursor.fetchone()
        return int(fencing_token)

    @invariant()
    def allocations_do_not_overlap(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(OVERLAPS)
            assert cursor.fetchone() == (0,)

    @invariant()
    def board_shows_the_allocations_of_the_model(self) -> None:
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
def test_random_operations_on_holds_have_the_results_that_a_python_model_predicts() -> None:
    run_state_machine_as_test(
        HoldOperations,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
