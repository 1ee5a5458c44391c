"""Property tests of cells with random garbage. Garbage affects only the cell that contains it.

Garbage in the booking number, a date or the room may affect the whole row, but no other row.
"""

import csv
import io
import string
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from locks.models import Allocation
from reminders.models import Reservation
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions
from reminders.reservations.importing.values.errors import RowError
from tenants.models import Hotel

HEADER = [
    "reservation_id", "arrival", "departure", "adults", "children", "guest_name", "email", "phone", "country",
    "room_type", "status", "status_date", "booked_on", "source", "language",
]  # fmt: skip
ROWS = [
    [f"V{n}", f"{10 + n}/05/2030", f"{13 + n}/05/2030", "2", "1", f"Guest {n}", f"v{n}@example.com",
     f"+34 600 000 00{n}", "ESP", "Double", "confirmed", f"1{n}/04/2030", f"1{n}/03/2030", "Direct", "es"]
    for n in range(5)
]  # fmt: skip
#: A row is rejected if its value in one of these columns is not valid.
ESSENTIAL = {"reservation_id", "arrival", "departure"}
FIELDS = {
    "adults": ("adults",), "children": ("children",), "guest_name": ("guest_name",), "email": ("guest_email",),
    "phone": ("guest_phone",), "country": ("country",), "room_type": ("room_type", "assigned_room_type"),
    "status": ("status",), "status_date": ("status_date",), "booked_on": ("booked_on",), "source": ("source",),
    "language": ("language",),
}  # fmt: skip
GARBAGE = st.one_of(
    st.text(max_size=300),
    st.text(string.printable, max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(lambda day: f"{day.month}/{day.day}/{day.year}"),
    st.sampled_from(
        ["1e999", "=1+1", '"', "a@b; c@d", "cancelled", "Total", "NULL", "\x00", "03/04/2030", "\ufffd"]
    ),
)

pytestmark = pytest.mark.django_db


def imported(rows: list[list[str]]) -> tuple[dict[str, dict[str, Any]], list[RowError], set[str]]:
    """Import the rows.

    Return the stored values by booking number, the errors, and the booking numbers of bookings that have a room.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADER, *rows])
    errors: list[RowError] = []
    with transaction.atomic():
        file = BookingsFile(io.BytesIO(text.getvalue().encode("utf-8", "replace")), name="bookings.csv")
        Importer(file, ImportOptions(), on_error=errors.append).run()
        stored = {
            values.pop("external_id"): values
            for values in Reservation.objects.values(
                "external_id", "arrival", "departure", *sum(FIELDS.values(), ())
            )
        }
        occupied = set(Allocation.objects.filter(status="confirmed").values_list("reference", flat=True))
        transaction.set_rollback(True)
    return stored, errors, occupied


@pytest.fixture
def values_without_garbage(in_hotel: Hotel) -> dict[str, dict[str, Any]]:
    stored, _errors, _occupied = imported(ROWS)
    return stored


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.integers(0, len(ROWS) - 1),
    column=st.sampled_from([name for name in HEADER if name not in ESSENTIAL]),
    garbage=GARBAGE,
)
@example(row=0, column="adults", garbage="1e999")
@example(row=1, column="booked_on", garbage="03/14/2030")
@example(row=1, column="status_date", garbage="12/25/2030")
@example(row=2, column="email", garbage="a@example.org; b@example.org")
@example(row=3, column="status", garbage="Storno")
@example(row=4, column="guest_name", garbage='"')
def test_garbage_in_an_optional_cell_affects_at_most_that_cell(
    values_without_garbage: dict[str, dict[str, Any]], row: int, column: str, garbage: str
) -> None:
    rows = [list(cells) for cells in ROWS]
    rows[row][HEADER.index(column)] = garbage
    stored, errors, occupied = imported(rows)
    assert stored.keys() == {f"V{n}" for n in range(5)}
    assert [error for error in errors if error.is_rejected] == []
    assert {error.column for error in errors} <= {column}
    for number, values in values_without_garbage.items():
        affected = FIELDS[column] if number == f"V{row}" else ()
        kept = {name: value for name, value in values.items() if name not in affected}
        assert {name: value for name, value in stored[number].items() if name not in affected} == kept
    cancelled = {number for number, values in stored.items() if values["status"] == "cancelled"}
    assert occupied == stored.keys() - cancelled


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.integers(0, len(ROWS) - 1), column=st.sampled_from(sorted(ESSENTIAL)), garbage=GARBAGE)
@example(row=0, column="reservation_id", garbage="V1")
@example(row=0, column="reservation_id", garbage="Total")
@example(row=0, column="arrival", garbage="05/12/2030")
def test_garbage_in_the_booking_number_or_a_date_affects_at_most_that_row(
    in_hotel: Hotel, row: int, column: str, garbage: str
) -> None:
    rows = [list(cells) for cells in ROWS]
    rows[row][HEADER.index(column)] = garbage
    stored, _errors, occupied = imported(rows)
    others = {f"V{n}" for n in range(5) if n != row}
    assert stored.keys() >= others
    assert occupied >= others
