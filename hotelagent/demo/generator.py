"""Generator of random bookings for the demonstration. The same seed and arrival date always give the same bookings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from hotelagent.demo import guests
from hotelagent.demo.profiles import HotelProfile, Segment

SEED = 1
ONE_DAY = timedelta(days=1)
#: Guests can book up to about a year ahead, because hotels open their calendars that early.
_MAX_LEAD_DAYS = 400
#: Share of guests who neither arrive nor cancel. The share is small, because hotels charge these guests for the first
#: night.
_NO_SHOW_RATE = 0.012
#: Share of guests who get the next better room type at no extra charge, because their room type is sold out.
_UPGRADE_RATE = 0.08

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Booking:
    """A generated booking, with its later cancellation or no-show.

    `cancelled_on` is the date on which the guest will cancel the booking, or None. `is_no_show` means that the guest
    will neither cancel nor arrive.
    """

    number: str
    hotel: str
    booked_on: date
    arrival: date
    departure: date
    reserved_room_type: str
    assigned_room_type: str
    adults: int
    children: int
    country: str
    segment: str
    cancelled_on: date | None
    is_no_show: bool
    guest_name: str
    guest_email: str
    language: str


def generate_bookings(
    profile: HotelProfile, *, first_arrival: date, last_arrival: date, seed: int = SEED
) -> Iterator[Booking]:
    """Yield random bookings with arrivals from `first_arrival` to `last_arrival` (inclusive), sorted by arrival."""
    day = first_arrival
    while day <= last_arrival:
        yield from _bookings_of_day(profile, day, random=Random(f"{seed} {profile.name} {day}"))  # noqa: S311
        day += ONE_DAY


def _bookings_of_day(profile: HotelProfile, arrival: date, *, random: Random) -> list[Booking]:
    mean = (
        profile.bookings_per_arrival_date
        * profile.month_factors[arrival.month - 1]
        * profile.weekday_factors[arrival.weekday()]
    )
    # Guests book independently, so the number of bookings has a Poisson distribution.
    # The module `random` has no Poisson distribution, so a normal distribution with the same variance is used.
    count = max(0, round(random.gauss(mean, math.sqrt(mean))))
    bookings = [
        _booking(profile, arrival, number=f"{profile.prefix}{arrival:%y%m%d}{position:03}", random=random)
        for position in range(1, count + 1)
    ]
    _make_one_address_unreachable(bookings)
    return bookings


def _booking(profile: HotelProfile, arrival: date, *, number: str, random: Random) -> Booking:
    segment_name = _choose(random, {name: segment.weight for name, segment in profile.segments.items()})
    segment = profile.segments[segment_name]
    lead_days = _lead_days(segment, random=random)
    booked_on = arrival - timedelta(days=lead_days)
    cancelled_on = None
    if random.random() < cancellation_probability(segment, lead_days=lead_days):
        # Guests cancel at any time between booking and arrival. Some cancel on the day of the booking.
        cancelled_on = booked_on + timedelta(days=int(lead_days * random.betavariate(1.1, 1.3)))
    room_type = _choose(random, profile.room_types)
    country = _choose(random, profile.countries)
    name = guests.random_name(random, country=country)
    has_email = random.random() < segment.email_rate
    return Booking(
        number=number,
        hotel=profile.name,
        booked_on=booked_on,
        arrival=arrival,
        departure=arrival + timedelta(days=_choose(random, segment.nights)),
        reserved_room_type=room_type,
        assigned_room_type=_assigned_room_type(profile, room_type, random=random),
        adults=_choose(random, segment.adults),
        children=random.randint(1, 2) if random.random() < profile.children_rates[arrival.month - 1] else 0,
        country=country,
        segment=segment_name,
        cancelled_on=cancelled_on,
        is_no_show=cancelled_on is None and random.random() < _NO_SHOW_RATE,
        guest_name=name,
        guest_email=guests.email_address(name, booking_number=number) if has_email else "",
        language=guests.language_of(country),
    )


def cancellation_probability(segment: Segment, *, lead_days: int) -> float:
    """Return the probability that a booking is cancelled.

    The probability grows with `lead_days`, the number of days between booking and arrival.
    """
    return segment.cancellation_rate * min(1.5, 0.4 + math.log1p(lead_days) / 5)


def _lead_days(segment: Segment, *, random: Random) -> int:
    days = random.lognormvariate(math.log(segment.median_lead_days), segment.lead_sigma)
    return min(int(days), _MAX_LEAD_DAYS)


def _assigned_room_type(profile: HotelProfile, reserved: str, *, random: Random) -> str:
    if random.random() >= _UPGRADE_RATE:
        return reserved
    room_types = list(profile.room_types)
    return room_types[min(room_types.index(reserved) + 1, len(room_types) - 1)]


def _make_one_address_unreachable(bookings: list[Booking]) -> None:
    """Replace the e-mail address of one guest with an address that the development mail server rejects.

    The function is called with the bookings of one arrival date. So each arrival date of the demonstration has one
    guest whose reminders fail.
    """
    arriving = [booking for booking in bookings if booking.cancelled_on is None and not booking.is_no_show]
    if arriving:
        earliest = min(arriving, key=lambda booking: (booking.booked_on, booking.number))
        earliest.guest_email = guests.email_address(
            earliest.guest_name, booking_number=earliest.number, domain=guests.REFUSED_DOMAIN
        )


def _choose(random: Random, weights: Mapping[T, float]) -> T:
    return random.choices(list(weights), list(weights.values()))[0]
