"""Tests of importing a second file, as nightly imports do: reservations, rooms and reminders are updated.

The expected result is computed from the rows of both files. The only values taken from hotelagent are the
offsets of the default reminder rules.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from locks.models import Allocation, Room
from locks.nights import Nights
from locks.services import cancel_stay, move_allocation
from reminders.models import Reminder, Reservation
from reminders.reservations.importing import storing
from reminders.reservations.services import cancel_reservation, update_guest, upsert_reservation
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.bookings import Row, as_exported_on, booking_rows, is_valid
from tests.reminders.conftest import Clock
from tests.reminders.test_import_reservations import run, write_lines, write_rows

pytestmark = pytest.mark.django_db
TODAY = "2016-09-20"
#: At 04:00, the night before today is not over.
FIRST_OPEN_NIGHT = "2016-09-19"
HEADER = "id,arrival,departure,adults,room_type,status,guest,email,phone"
NO_GUEST = {"guest_name": "", "guest_email": "", "language": ""}
STATUSES = {
    "Confirmed": "booked",
    "Check-Out": "checked_out",
    "Canceled": "cancelled",
    "No-Show": "no_show",
}


@pytest.fixture(autouse=True)
def _now(clock: Clock) -> None:
    clock(f"{TODAY} 03:00")  # 04:00 in Lisbon


def valid_rows(hotel: str) -> list[Row]:
    """Return the valid bookings that arrive in the next two weeks or arrived in the last six days, without guest data.

    Real bookings (BOOKINGS_FILE) contain no guest data, so the guest data of generated bookings are removed.
    """
    rows = booking_rows(hotel, first=date(2016, 9, 14), last=date(2016, 10, 4))
    return [NO_GUEST | as_exported_on(row, TODAY) for row in rows if is_valid(row)]


def days_later(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days=days)}"


# Functions that change a booking between two exports.


def with_new_dates(row: Row) -> Row:
    return row | {"check_in": days_later(row["check_in"], 2), "check_out": days_later(row["check_out"], 3)}


def with_other_status(row: Row) -> Row:
    """Return the row with another status: a confirmed booking becomes cancelled, and a cancelled booking confirmed."""
    if row["status"] == "Canceled":
        return as_exported_on(row | {"status": "Check-Out", "status_date": row["check_out"]}, TODAY)
    return row | {"status": "Canceled", "status_date": min(row["check_in"], TODAY)}


def with_other_room_type(row: Row) -> Row:
    return row | {"reserved_room_type": "E", "assigned_room_type": "D"}


def with_guest(row: Row) -> Row:
    return row | {
        "guest_name": "Ana Lima",
        "guest_email": f"{row['booking_id']}@guests.example",
        "language": "es",
    }


CHANGES: list[Callable[[Row], Row]] = [with_new_dates, with_other_status, with_other_room_type, with_guest]


def expected_values(row: Row) -> tuple[Any, ...]:
    """Return the values that the reservation must have after the import of this row.

    None means that the row does not contain the value, and that the import does not change it.
    """
    return (
        STATUSES[row["status"]], row["check_in"], row["check_out"], row["reserved_room_type"], row["adults"],
        row["guest_name"] or None, row["guest_email"] or None, row["language"] or None, row["status_date"] or None,
    )  # fmt: skip


def stored_values(row: Row, reservation: Reservation) -> tuple[Any, ...]:
    """Return the stored values of a reservation, in the order of `expected_values`.

    Guest data that the row does not contain is returned as None.
    """
    guest = [getattr(reservation, name) if row[name] else None for name in NO_GUEST]
    return (
        reservation.status, f"{reservation.arrival}", f"{reservation.departure}", reservation.room_type,
        f"{reservation.adults}", *guest, reservation.status_date and f"{reservation.status_date}",
    )  # fmt: skip


def expected_reminders(row: Row) -> set[int]:
    """Return the offsets, in days before arrival, of the reminders that must be scheduled.

    The reminder for 7 days before arrival is skipped if that day has passed. The reminder for the day before arrival
    may be sent late, until the arrival day ends.
    """
    if row["status"] != "Confirmed":
        return set()
    offsets = {7} if days_later(row["check_in"], -7) >= TODAY else set()
    return offsets | {1} if row["check_in"] >= TODAY else offsets


def assert_stored(rows: Sequence[Row]) -> None:
    """Assert that the hotel has exactly these reservations, with the expected stays and reminders."""
    reservations = {
        r.external_id: r
        for r in Reservation.objects.select_related("stay__room").prefetch_related("reminders__rule")
    }
    assert reservations.keys() == {row["booking_id"] for row in rows}
    for row in rows:
        reservation = reservations[row["booking_id"]]
        assert stored_values(row, reservation) == expected_values(row)
        stay = reservation.stay
        if row["status"] == "Canceled":
            assert stay is None
        else:
            assert stay is not None
            assert (stay.status, stay.reference) == ("confirmed", row["booking_id"])
            # A no-show occupies the room only on the nights that are over.
            check_out = (
                min(row["check_out"], FIRST_OPEN_NIGHT) if row["status"] == "No-Show" else row["check_out"]
            )
            assert (f"{stay.check_in}", f"{stay.check_out}") == (row["check_in"], check_out)
            assert stay.room.room_type == row["assigned_room_type"]
        scheduled = {
            reminder.rule.offset_days
            for reminder in reservation.reminders.all()
            if reminder.status == "scheduled" and f"{reminder.arrival}" == row["check_in"]
        }
        assert scheduled == expected_reminders(row), row
    scheduled_ids = set(Reminder.objects.filter(status="scheduled").values_list("id", flat=True))
    assert len(scheduled_ids) == sum(len(expected_reminders(row)) for row in rows)
    assert scheduled_ids == set(DueItem.objects.filter(kind="reminder").values_list("item_id", flat=True))
    assert Allocation.objects.filter(status="confirmed").count() == sum(
        row["status"] != "Canceled" for row in rows
    )


@pytest.mark.parametrize("hotel_name", ["Resort Hotel", "City Hotel"])
def test_second_import_changes_only_the_reservations_that_changed_in_the_file(
    in_hotel: Hotel, tmp_path: Path, hotel_name: str
) -> None:
    rows = valid_rows(hotel_name)
    half = rows[::2]
    run(write_rows(tmp_path / "half.csv", half))
    assert_stored(half)
    before = {r.external_id: r.version for r in Reservation.objects.all()}

    changed = {
        row["booking_id"]: CHANGES[n // 10 % len(CHANGES)](row) for n, row in enumerate(half) if n % 10 == 3
    }
    after = [changed.get(row["booking_id"], row) for row in rows]
    differing = {row["booking_id"] for row in half if changed.get(row["booking_id"], row) != row}
    file = write_rows(tmp_path / "night.csv", after)
    dry_run = run(file, dry_run=True)
    assert {r.external_id: r.version for r in Reservation.objects.all()} == before
    report = run(file)
    counts = (report["created"], report["updated"], report["unchanged"], report["rejected"])
    assert counts == (len(rows) - len(half), len(differing), len(half) - len(differing), 0)
    assert counts == tuple(dry_run[name] for name in ("created", "updated", "unchanged", "rejected"))
    assert_stored(after)
    versions = {r.external_id: r.version for r in Reservation.objects.filter(external_id__in=before)}
    assert {number for number, version in versions.items() if version != before[number]} == differing

    events = Counter(Event.objects.values_list("event", flat=True))
    assert events["reservation.changed"] == len(differing)
    assert events["stay.moved"] == report["stays_moved"] > 0
    assert events["stay.cancelled"] == report["stays_cancelled"] == sum(
        row["status"] != "Canceled" and changed.get(row["booking_id"], row)["status"] == "Canceled" for row in half
    )  # fmt: skip

    third = run(file)
    assert (third["created"], third["updated"], third["unchanged"]) == (0, 0, len(rows))
    assert_stored(after)
    # Importing the first file again undoes the changes. Reservations that are not in the first file are kept.
    run(write_rows(tmp_path / "half.csv", half))
    assert_stored([*half, *(row for row in after if row["booking_id"] not in before)])


def test_import_that_swaps_the_dates_of_two_stays_keeps_both_stays_in_the_same_room(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    first = ["A,2030-05-10,2030-05-12,2,S,,Ana,,", "B,2030-05-12,2030-05-14,2,S,,Eva,,"]
    run(write_lines(tmp_path / "1.csv", *first, header=HEADER))
    room = Allocation.objects.values_list("room", flat=True).distinct().get()
    stays = set(Allocation.objects.values_list("id", flat=True))
    second = ["A,2030-05-12,2030-05-14,2,S,,Ana,,", "B,2030-05-10,2030-05-12,2,S,,Eva,,"]
    report = run(write_lines(tmp_path / "2.csv", *second, header=HEADER))
    assert (report["stays_moved"], report["stays_in_another_room"], Room.objects.count()) == (2, 0, 1)
    assert set(Allocation.objects.filter(room=room).values_list("id", flat=True)) == stays
    assert {(s.reference, s.check_in.day) for s in Allocation.objects.all()} == {("A", 12), ("B", 10)}


def test_import_overwrites_changes_by_staff_except_where_the_file_has_empty_cells(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    file = write_lines(
        tmp_path / "1.csv", "A,2030-05-10,2030-05-12,2,S,booked,Ana,ana@example.com,", header=HEADER
    )
    run(file)
    reservation = Reservation.objects.get()
    update_guest(
        reservation_id=reservation.id, guest_name="Ann", guest_email="x@example.com", guest_phone="+34600",
        language="es",
    )  # fmt: skip
    cancel_reservation(reservation_id=reservation.id)
    assert run(file)["updated"] == 1
    reservation.refresh_from_db()
    assert (reservation.guest_name, reservation.guest_email) == ("Ana", "ana@example.com")
    assert (reservation.guest_phone, reservation.language) == ("+34600", "es")
    assert (reservation.status, reservation.status_date) == ("booked", None)
    assert reservation.stay is not None
    assert Reminder.objects.filter(status="scheduled").count() == 2
    assert run(file)["unchanged"] == 1
    # The import of a file without a status column keeps the reservation cancelled.
    cancel_reservation(reservation_id=reservation.id)
    header = "id,arrival,departure,adults"
    assert run(write_lines(tmp_path / "2.csv", "A,2030-05-11,2030-05-12,2", header=header))["updated"] == 1
    updated = Reservation.objects.get()
    assert (updated.status, f"{updated.arrival}", updated.stay_id) == ("cancelled", "2030-05-11", None)


def test_second_import_keeps_a_room_that_staff_chose_and_replaces_a_cancelled_stay(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    lines = (f"{n},2030-05-10,2030-05-12,2,S,,Ana,," for n in "ABC")
    run(write_lines(tmp_path / "1.csv", *lines, header=HEADER))
    Room.objects.create(number="900", room_type="Suite")
    suite = Room.objects.get(number="900")
    stays = {r.external_id: r.stay for r in Reservation.objects.select_related("stay")}
    assert all(stays.values())
    move_allocation(stays["A"].id, room=suite.id, nights=Nights(date(2030, 5, 10), date(2030, 5, 12)))  # type: ignore[union-attr]
    cancel_stay(stays["B"].id)  # type: ignore[union-attr]
    lines = (f"{n},2030-05-10,2030-05-13,2,S,,Ana,," for n in "ABC")
    report = run(write_lines(tmp_path / "2.csv", *lines, header=HEADER))
    assert (report["updated"], report["stays_moved"], report["stays"]) == (3, 2, 1)
    rooms = {
        s.reference: s.room.room_type
        for s in Allocation.objects.filter(status="confirmed").select_related("room")
    }
    assert rooms == {"A": "Suite", "B": "S", "C": "S"}
    assert {s.check_out.day for s in Allocation.objects.filter(status="confirmed")} == {13}


def test_import_stores_only_the_first_row_of_a_repeated_booking_number(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    others = (f"N{n},2030-06-{1 + n % 28:02},2030-06-30,2,S,,Ana,," for n in range(2_500))
    file = write_lines(
        tmp_path / "1.csv",
        "A,2030-05-10,2030-05-12,2,S,,Ana,,",
        *others,
        "A,2030-05-10,2030-05-13,2,S,,Eva,,",
        header=HEADER,
    )
    report = run(file, rejects=tmp_path / "rejects.csv")
    assert (report["created"], report["rejected_by_reason"]) == (2_501, {"duplicate number": 1})
    assert "The first row with this number is in line 2." in (tmp_path / "rejects.csv").read_text()
    assert (run(file)["updated"], Reservation.objects.get(external_id="A").guest_name) == (0, "Ana")


def test_import_of_an_unchanged_file_executes_few_sql_statements(in_hotel: Hotel, tmp_path: Path) -> None:
    lines = (f"N{n},2030-06-01,2030-06-02,2,S,,Ana,," for n in range(1_500))
    file = write_lines(tmp_path / "1.csv", *lines, header=HEADER)
    run(file)
    with CaptureQueriesContext(connection) as queries:
        run(file)
    assert len(queries) < 25


@pytest.mark.django_db(transaction=True)
def test_import_overwrites_a_booking_that_an_api_client_stores_at_the_same_time(
    in_hotel: Hotel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[set[str]] = []

    def find_existing_then_store_in_another_thread(numbers: Sequence[str]) -> set[str]:
        results.append(find_existing(numbers))
        if len(results) == 1:
            client = threading.Thread(target=store_as_client, args=(in_hotel,))
            client.start()
            client.join()
        return results[-1]

    find_existing = storing.find_existing
    monkeypatch.setattr(storing, "find_existing", find_existing_then_store_in_another_thread)
    lines = ["A,2030-05-10,2030-05-13,2,S,,Ana,,", "B,2030-05-10,2030-05-12,2,S,,Eva,,"]
    report = run(write_lines(tmp_path / "1.csv", *lines, header=HEADER))
    assert results == [set(), {"A"}]
    assert (report["created"], report["updated"], report["stays"]) == (1, 1, 2)
    stored = {r.external_id: (r.guest_name, r.departure.day) for r in Reservation.objects.exclude(stay=None)}
    assert stored == {"A": ("Ana", 13), "B": ("Eva", 12)}


def store_as_client(hotel: Hotel) -> None:
    """Store booking A in a separate thread, as a request from an API client would."""
    try:
        with hotel_context(hotel):
            upsert_reservation(
                external_id="A", guest_name="A client", arrival=date(2030, 5, 10), departure=date(2030, 5, 12)
            )
    finally:
        connection.close()
