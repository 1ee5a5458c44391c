"""Tests of the generator of demo bookings. The generator creates the same bookings for the same seed, with the
statistical patterns of real hotels.
"""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from statistics import mean, median

import pytest

from hotelagent.demo import guests
from hotelagent.demo.export import export_rows, write_csv
from hotelagent.demo.generator import Booking, cancellation_probability, generate_bookings
from hotelagent.demo.profiles import CITY, PROFILES, RESORT, HotelProfile
from reminders.reservations.importing.booking import Booking as ImportedBooking
from reminders.reservations.importing.columns.mapping import map_columns
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.parsing import RowParser

ONE_DAY = timedelta(days=1)
TODAY = date(2030, 6, 12)


@pytest.fixture(scope="module")
def resort() -> list[Booking]:
    """Return the bookings that are generated for one year in the resort hotel."""
    return list(generate_bookings(RESORT, first_arrival=date(2030, 1, 1), last_arrival=date(2030, 12, 31)))


def around_today(profile: HotelProfile, today: date = TODAY) -> list[Booking]:
    return list(
        generate_bookings(profile, first_arrival=today - 7 * ONE_DAY, last_arrival=today + 21 * ONE_DAY)
    )


def test_bookings_of_an_arrival_date_depend_only_on_the_seed() -> None:
    day = list(generate_bookings(RESORT, first_arrival=TODAY, last_arrival=TODAY))
    assert day == [booking for booking in around_today(RESORT) if booking.arrival == TODAY]
    assert day != list(generate_bookings(RESORT, first_arrival=TODAY, last_arrival=TODAY, seed=2))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_generated_bookings_have_unique_numbers_and_dates_in_the_right_order(profile: HotelProfile) -> None:
    bookings = around_today(profile)
    assert len({booking.number for booking in bookings}) == len(bookings) > 500
    for booking in bookings:
        assert booking.booked_on <= (booking.cancelled_on or booking.arrival) <= booking.arrival
        assert booking.arrival < booking.departure
        assert not (booking.is_no_show and booking.cancelled_on)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_row_of_the_export_is_accepted_by_the_import(profile: HotelProfile, tmp_path: Path) -> None:
    path = tmp_path / "bookings.csv"
    write_csv(path, export_rows(around_today(profile), today=TODAY))
    file = BookingsFile(path)
    parser = RowParser(map_columns(file.header, overrides={}))
    parsed = [parser.parse(line, row) for line, row in file.rows()]
    assert all(isinstance(booking, ImportedBooking) for booking in parsed)
    assert len(parsed) > 400


def test_each_arrival_date_has_one_guest_with_an_unreachable_email_address() -> None:
    arriving = [b for b in around_today(CITY) if b.cancelled_on is None and not b.is_no_show]
    refused = [b.arrival for b in arriving if b.guest_email.endswith(f"@{guests.REFUSED_DOMAIN}")]
    assert sorted(refused) == sorted({booking.arrival for booking in arriving})


def test_generated_guests_have_unique_email_addresses_made_from_their_names(resort: list[Booking]) -> None:
    addresses = [booking.guest_email for booking in resort if booking.guest_email]
    assert len(set(addresses)) == len(addresses)
    assert all(address.endswith(("@example.com", "@refused.example.com")) for address in addresses)
    assert 0.05 < 1 - len(addresses) / len(resort) < 0.3
    assert guests.email_address("Inês De Luca", booking_number="R1-2") == "ines.de.luca.r12@example.com"
    languages = {booking.country: booking.language for booking in resort}
    assert (languages["PRT"], languages["ESP"], languages["GBR"]) == ("pt", "es", "en")


def test_generated_demand_varies_with_season_and_weekday(resort: list[Booking]) -> None:
    months = Counter(booking.arrival.month for booking in resort)
    assert months[8] > 2 * months[1]
    weekdays = Counter(booking.arrival.weekday() for booking in resort)
    assert weekdays[5] > 1.3 * weekdays[2]


def test_lead_times_of_bookings_are_mostly_short_and_sometimes_very_long(resort: list[Booking]) -> None:
    lead_days = [(booking.arrival - booking.booked_on).days for booking in resort]
    assert 20 < median(lead_days) < mean(lead_days) < 100
    assert max(lead_days) > 300


def test_most_frequent_lengths_of_stay_are_weekends_and_whole_weeks(resort: list[Booking]) -> None:
    nights = Counter((booking.departure - booking.arrival).days for booking in resort)
    assert nights[7] > nights[6] + nights[8]
    assert nights[2] > nights[1] > 0


def test_bookings_made_early_are_cancelled_more_often(resort: list[Booking]) -> None:
    agency = RESORT.segments["Online agency"]
    assert cancellation_probability(agency, lead_days=0) < cancellation_probability(agency, lead_days=90) < 1
    cancelled = sum(booking.cancelled_on is not None for booking in resort)
    assert 0.2 < cancelled / len(resort) < 0.4
    assert 0 < sum(booking.is_no_show for booking in resort) / len(resort) < 0.03


def test_assigned_room_type_is_the_reserved_room_type_or_an_upgrade(resort: list[Booking]) -> None:
    ranks = {room_type: rank for rank, room_type in enumerate(RESORT.room_types)}
    steps = Counter(ranks[b.assigned_room_type] - ranks[b.reserved_room_type] for b in resort)
    assert set(steps) == {0, 1}
    assert steps[1] < steps[0] / 5


def test_export_of_a_day_contains_nothing_that_happens_after_this_day() -> None:
    bookings = {booking.number: booking for booking in around_today(RESORT)}
    rows = {row["booking_id"]: row for row in export_rows(bookings.values(), today=TODAY)}
    assert rows.keys() == {number for number, booking in bookings.items() if booking.booked_on <= TODAY}
    for number, row in rows.items():
        booking = bookings[number]
        if booking.cancelled_on is not None and booking.cancelled_on <= TODAY:
            assert (row["status"], row["status_date"]) == ("Canceled", f"{booking.cancelled_on}")
        elif booking.is_no_show and booking.arrival < TODAY:
            assert row["status"] == "No-Show"
        elif booking.departure < TODAY:
            assert (row["status"], row["status_date"]) == ("Check-Out", f"{booking.departure}")
        elif booking.arrival < TODAY:
            assert (row["status"], row["status_date"]) == ("In-House", f"{booking.arrival}")
        else:
            assert (row["status"], row["status_date"]) == ("Confirmed", "")
    assert Counter(row["status"] for row in rows.values()).keys() == {
        "Canceled",
        "No-Show",
        "Check-Out",
        "In-House",
        "Confirmed",
    }
