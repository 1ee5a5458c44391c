"""A nightly export: what changed in the hotel's own system follows, reservations, rooms and mails.

What must come of two files is computed from the files alone; nothing of ours is used for it but the rules' numbers.
"""

import csv
import gzip
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from locks.models import Allocation, Room
from locks.nights import Nights
from locks.services import cancel_stay, move_stay
from reminders.models import Reminder, Reservation
from reminders.reservations.importing import storing
from reminders.reservations.services import cancel_reservation, correct_guest, upsert_reservation
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock
from tests.reminders.test_import_reservations import is_sound, run

pytestmark = pytest.mark.django_db
SHIPPED = settings.BASE_DIR / "data" / "hotel_bookings.csv.gz"
TODAY = "2016-09-20"  # the clock below: 04:00 in Lisbon
Row = dict[str, str]
GUEST = {"guest_name": "", "guest_email": "", "language": ""}


@pytest.fixture(autouse=True)
def _now(clock: Clock) -> None:
    clock(f"{TODAY} 03:00")


def real(hotel: str) -> list[Row]:
    with gzip.open(SHIPPED, "rt", newline="") as packed:
        rows = [row for row in csv.DictReader(packed) if row["hotel"] == hotel]
    return [row | GUEST for row in rows if "2016-09-12" <= row["check_in"] <= "2016-10-16"]


def write(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def later(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days=days)}"


def new_days(row: Row) -> Row:
    return row | {"check_in": later(row["check_in"], 2), "check_out": later(row["check_out"], 3)}


def swapped_status(row: Row) -> Row:
    if row["status"] == "Canceled":
        return row | {"status": "Check-Out", "status_date": row["check_out"]}
    return row | {"status": "Canceled", "status_date": min(row["check_in"], TODAY)}


def other_type(row: Row) -> Row:
    return row | {"reserved_room_type": "E", "assigned_room_type": "D"}


def named(row: Row) -> Row:
    return row | {
        "guest_name": "Ana Lima",
        "guest_email": f"{row['booking_id']}@guests.example",
        "language": "es",
    }


CHANGES: list[Callable[[Row], Row]] = [new_days, swapped_status, other_type, named]


def expected(row: Row) -> tuple[Any, ...]:
    """What is stored of a row: only what the file says."""
    status = {"Check-Out": "checked_out", "Canceled": "cancelled", "No-Show": "no_show"}[row["status"]]
    if status != "cancelled" and row["status_date"] >= TODAY:
        status = "booked"
    return (
        status, row["check_in"], row["check_out"], row["reserved_room_type"], row["adults"],
        row["guest_name"] or None, row["guest_email"] or None, row["language"] or None, row["status_date"],
    )  # fmt: skip


def stored(row: Row, reservation: Reservation) -> tuple[Any, ...]:
    """The same of a reservation; what the file does not say is not looked at."""
    said = [
        getattr(reservation, name) if row[name] else None
        for name in ("guest_name", "guest_email", "language")
    ]
    return (
        reservation.status, f"{reservation.arrival}", f"{reservation.departure}", reservation.room_type,
        f"{reservation.adults}", *said, f"{reservation.status_date}",
    )  # fmt: skip


def live_mails(row: Row) -> set[int]:
    """Days before arrival of the mails that wait to go: those whose morning is not over, and the eve's until the
    day of arrival ends; a week ahead is not made up for."""
    if expected(row)[0] != "booked":
        return set()
    days = {7} if later(row["check_in"], -7) >= TODAY else set()
    return days | {1} if row["check_in"] >= TODAY else days


def check_all(rows: Sequence[Row]) -> None:
    """Every stored row, stay and reminder is as the rows say."""
    found = {
        r.external_id: r
        for r in Reservation.objects.select_related("stay__room").prefetch_related("reminders__rule")
    }
    assert found.keys() == {row["booking_id"] for row in rows}
    for row in rows:
        reservation = found[row["booking_id"]]
        assert stored(row, reservation) == expected(row)
        stay = reservation.stay
        if row["status"] == "Canceled":
            assert stay is None
        else:
            assert stay is not None
            assert (stay.status, stay.reference) == ("confirmed", row["booking_id"])
            assert (f"{stay.check_in}", f"{stay.check_out}") == (row["check_in"], row["check_out"])
            assert stay.room.room_type == row["assigned_room_type"]
        waiting = {
            reminder.rule.offset_days
            for reminder in reservation.reminders.all()
            if reminder.status == "scheduled" and f"{reminder.arrival}" == row["check_in"]
        }
        assert waiting == live_mails(row), row
    waiting_ids = set(Reminder.objects.filter(status="scheduled").values_list("id", flat=True))
    assert len(waiting_ids) == sum(len(live_mails(row)) for row in rows)
    assert waiting_ids == set(DueItem.objects.filter(kind="reminder").values_list("item_id", flat=True))
    assert Allocation.objects.filter(status="confirmed").count() == sum(
        row["status"] != "Canceled" for row in rows
    )


@pytest.mark.parametrize("hotel_value", ["Resort Hotel", "City Hotel"])
def test_what_changed_in_the_file_follows_and_nothing_else(
    in_hotel: Hotel, tmp_path: Path, hotel_value: str
) -> None:
    rows = [row for row in real(hotel_value) if is_sound(row)]
    half = rows[::2]
    run(write(tmp_path / "half.csv", half))
    check_all(half)
    before = {r.external_id: r.version for r in Reservation.objects.all()}

    changed = {
        row["booking_id"]: CHANGES[n // 10 % len(CHANGES)](row) for n, row in enumerate(half) if n % 10 == 3
    }
    after = [changed.get(row["booking_id"], row) for row in rows]
    really = {row["booking_id"] for row in half if changed.get(row["booking_id"], row) != row}
    file = write(tmp_path / "night.csv", after)
    dry = run(file, dry_run=True)
    assert {r.external_id: r.version for r in Reservation.objects.all()} == before
    report = run(file)
    counts = (report["stored"], report["updated"], report["unchanged"], report["rejected"])
    assert counts == (len(rows) - len(half), len(really), len(half) - len(really), 0)
    assert counts == tuple(dry[name] for name in ("stored", "updated", "unchanged", "rejected"))
    check_all(after)
    versions = {r.external_id: r.version for r in Reservation.objects.filter(external_id__in=before)}
    assert {number for number, version in versions.items() if version != before[number]} == really

    numbers = Counter(Event.objects.values_list("event", flat=True))
    assert numbers["reservation.changed"] == len(really)
    assert numbers["stay.moved"] == report["stays_moved"] > 0
    assert numbers["stay.cancelled"] == report["stays_cancelled"] == sum(
        row["status"] != "Canceled" and changed.get(row["booking_id"], row)["status"] == "Canceled" for row in half
    )  # fmt: skip

    again = run(file)
    assert (again["stored"], again["updated"], again["unchanged"]) == (0, 0, len(rows))
    check_all(after)
    run(write(tmp_path / "half.csv", half))  # and all of it back; who is not in the file stays
    check_all([*half, *(row for row in after if row["booking_id"] not in before)])


HEADER = "id,arrival,departure,adults,room_type,status,guest,email,phone"


def small(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_stays_that_change_places_do_not_stand_in_each_others_way(in_hotel: Hotel, tmp_path: Path) -> None:
    first = ["A,2030-05-10,2030-05-12,2,S,,Ana,,", "B,2030-05-12,2030-05-14,2,S,,Eva,,"]
    run(small(tmp_path / "1.csv", *first))
    room = Allocation.objects.values_list("room", flat=True).distinct().get()
    stays = set(Allocation.objects.values_list("id", flat=True))
    report = run(
        small(tmp_path / "2.csv", "A,2030-05-12,2030-05-14,2,S,,Ana,,", "B,2030-05-10,2030-05-12,2,S,,Eva,,")
    )
    assert (report["stays_moved"], report["stays_in_another_room"], Room.objects.count()) == (2, 0, 1)
    assert set(Allocation.objects.filter(room=room).values_list("id", flat=True)) == stays
    assert {(s.reference, s.check_in.day) for s in Allocation.objects.all()} == {("A", 12), ("B", 10)}


def test_the_file_overrules_what_staff_changed_and_an_empty_cell_does_not(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    file = small(tmp_path / "1.csv", "A,2030-05-10,2030-05-12,2,S,booked,Ana,ana@example.com,")
    run(file)
    reservation = Reservation.objects.get()
    correct_guest(
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
    # A file without a status says nothing of who has cancelled.
    cancel_reservation(reservation_id=reservation.id)
    short = small(tmp_path / "2.csv", "A,2030-05-11,2030-05-12,2", header="id,arrival,departure,adults")
    assert run(short)["updated"] == 1
    later_on = Reservation.objects.get()
    assert (later_on.status, f"{later_on.arrival}", later_on.stay_id) == ("cancelled", "2030-05-11", None)


def test_a_room_that_staff_gave_is_kept_and_one_that_was_lost_is_given_anew(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    run(small(tmp_path / "1.csv", *(f"{n},2030-05-10,2030-05-12,2,S,,Ana,," for n in "ABC")))
    Room.objects.create(number="900", room_type="Suite")
    suite = Room.objects.get(number="900")
    stays = {r.external_id: r.stay for r in Reservation.objects.select_related("stay")}
    assert all(stays.values())
    move_stay(stays["A"].id, room=suite.id, nights=Nights(date(2030, 5, 10), date(2030, 5, 12)))  # type: ignore[union-attr]
    cancel_stay(stays["B"].id)  # type: ignore[union-attr]
    report = run(small(tmp_path / "2.csv", *(f"{n},2030-05-10,2030-05-13,2,S,,Ana,," for n in "ABC")))
    assert (report["updated"], report["stays_moved"], report["stays"]) == (3, 2, 1)
    rooms = {
        s.reference: s.room.room_type
        for s in Allocation.objects.filter(status="confirmed").select_related("room")
    }
    assert rooms == {"A": "Suite", "B": "S", "C": "S"}
    assert {s.check_out.day for s in Allocation.objects.filter(status="confirmed")} == {13}


def test_of_rows_with_one_number_the_first_counts_every_time(in_hotel: Hotel, tmp_path: Path) -> None:
    others = (f"N{n},2030-06-{1 + n % 28:02},2030-06-30,2,S,,Ana,," for n in range(2_500))
    file = small(
        tmp_path / "1.csv",
        "A,2030-05-10,2030-05-12,2,S,,Ana,,",
        *others,
        "A,2030-05-10,2030-05-13,2,S,,Eva,,",
    )
    report = run(file, rejects=tmp_path / "rejects.csv")
    assert (report["stored"], report["rejected_by_reason"]) == (2_501, {"number repeated": 1})
    assert "line 2 has it" in (tmp_path / "rejects.csv").read_text()
    assert (run(file)["updated"], Reservation.objects.get(external_id="A").guest_name) == (0, "Ana")


def test_a_file_as_it_was_costs_a_few_statements(in_hotel: Hotel, tmp_path: Path) -> None:
    file = small(tmp_path / "1.csv", *(f"N{n},2030-06-01,2030-06-02,2,S,,Ana,," for n in range(1_500)))
    run(file)
    with CaptureQueriesContext(connection) as queries:
        run(file)
    assert len(queries) < 25


@pytest.mark.django_db(transaction=True)
def test_a_booking_that_a_client_stores_meanwhile_is_brought_to_what_the_file_says(
    in_hotel: Hotel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[set[str]] = []

    def look_and_be_overtaken(numbers: Sequence[str]) -> set[str]:
        looked.append(known(numbers))
        if len(looked) == 1:
            client = threading.Thread(target=store_elsewhere, args=(in_hotel,))
            client.start()
            client.join()
        return looked[-1]

    known = storing.known
    monkeypatch.setattr(storing, "known", look_and_be_overtaken)
    report = run(
        small(tmp_path / "1.csv", "A,2030-05-10,2030-05-13,2,S,,Ana,,", "B,2030-05-10,2030-05-12,2,S,,Eva,,")
    )
    assert looked == [set(), {"A"}]
    assert (report["stored"], report["updated"], report["stays"]) == (1, 1, 2)
    stored = {r.external_id: (r.guest_name, r.departure.day) for r in Reservation.objects.exclude(stay=None)}
    assert stored == {"A": ("Ana", 13), "B": ("Eva", 12)}


def store_elsewhere(hotel: Hotel) -> None:
    """On a connection of its own."""
    try:
        with hotel_context(hotel):
            upsert_reservation(
                external_id="A", guest_name="A client", arrival=date(2030, 5, 10), departure=date(2030, 5, 12)
            )
    finally:
        connection.close()
