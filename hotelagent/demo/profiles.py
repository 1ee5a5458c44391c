"""Booking patterns of the two demonstration hotels: who books when, for how long, and how often bookings are cancelled.

The numbers are our own estimates from common knowledge of hotel revenue management. They do not describe a real hotel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The booking pattern of a market segment, a group of guests who book through the same kind of channel."""

    #: Relative frequency of this segment among the bookings of the hotel.
    weight: float
    #: Median number of days between booking and arrival. Many guests book in the last weeks, and a few a year ahead.
    #: The number of days between booking and arrival has a log-normal distribution.
    #: `lead_sigma` is the standard deviation of the logarithm of the number of days between booking and arrival.
    median_lead_days: float
    lead_sigma: float
    #: Relative frequency of each number of nights.
    nights: Mapping[int, float]
    #: Relative frequency of each number of adults.
    adults: Mapping[int, float]
    #: Share of cancelled bookings among those made about three weeks ahead (see `generator.cancellation_probability`).
    cancellation_rate: float
    #: Share of guests whose e-mail address the hotel receives. Tour operators and agencies often withhold the address.
    email_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HotelProfile:
    """The booking pattern of one demonstration hotel, with the patterns of its market segments."""

    #: Value of the column `hotel` in the exported CSV file.
    name: str
    #: First letter of the booking numbers.
    prefix: str
    #: Mean number of bookings for each arrival date, including bookings that are cancelled later.
    bookings_per_arrival_date: float
    #: Twelve factors for the demand in January to December, relative to the mean of the year.
    month_factors: tuple[float, ...]
    #: Seven factors for the number of arrivals on Monday to Sunday, relative to the mean of the week.
    weekday_factors: tuple[float, ...]
    #: Share of bookings with children for each month from January. Families travel in the school holidays.
    children_rates: tuple[float, ...]
    segments: Mapping[str, Segment]
    #: Relative frequency of each room type, from the cheapest to the most expensive. Few rooms are expensive.
    room_types: Mapping[str, float]
    #: How often guests come from each country (ISO 3166 alpha-3), as relative weights. A few countries dominate.
    countries: Mapping[str, float]
    #: Price per night of each room type in euros, in a month with average demand.
    prices: Mapping[str, int]
    #: The nights with a higher price, from Monday (1) to Sunday (7).
    expensive_weekdays: tuple[int, ...]


_COUPLES = {1: 10.0, 2: 80.0, 3: 10.0}
_MIXED = {1: 28.0, 2: 64.0, 3: 8.0}
_BUSINESS = {1: 85.0, 2: 15.0}

# Leisure stays at a resort are weekends or whole weeks. Tour operators sell packages by the week.
_RESORT_NIGHTS = {1: 14.0, 2: 20.0, 3: 15.0, 4: 10.0, 5: 8.0, 6: 4.0, 7: 20.0, 8: 2.0, 10: 4.0, 14: 3.0}
_PACKAGE_NIGHTS = {3: 4.0, 4: 8.0, 5: 6.0, 7: 58.0, 10: 9.0, 11: 3.0, 14: 12.0}
# City breaks last a weekend or a little longer. Business guests stay for one or two nights.
_CITY_NIGHTS = {1: 18.0, 2: 28.0, 3: 28.0, 4: 14.0, 5: 6.0, 6: 3.0, 7: 3.0}
_BUSINESS_NIGHTS = {1: 48.0, 2: 30.0, 3: 14.0, 4: 8.0}

RESORT = HotelProfile(
    name="Resort Hotel",
    prefix="R",
    bookings_per_arrival_date=50,
    # The guests spend beach holidays, so demand in summer is two to three times the demand in winter.
    month_factors=(0.55, 0.65, 0.85, 1.05, 1.1, 1.2, 1.45, 1.55, 1.2, 1.0, 0.7, 0.7),
    # Guests with weekly packages arrive on Saturday, and weekend guests arrive on Friday.
    weekday_factors=(0.95, 0.8, 0.8, 0.9, 1.15, 1.4, 1.0),
    children_rates=(0.05, 0.07, 0.08, 0.12, 0.08, 0.12, 0.25, 0.28, 0.08, 0.08, 0.05, 0.12),
    segments={
        "Online agency": Segment(
            weight=42, median_lead_days=35, lead_sigma=1.3, nights=_RESORT_NIGHTS, adults=_COUPLES,
            cancellation_rate=0.34, email_rate=0.95,
        ),
        "Tour operator": Segment(
            weight=26, median_lead_days=90, lead_sigma=0.8, nights=_PACKAGE_NIGHTS, adults=_COUPLES,
            cancellation_rate=0.2, email_rate=0.6,
        ),
        "Direct": Segment(
            weight=20, median_lead_days=14, lead_sigma=1.5, nights=_RESORT_NIGHTS, adults=_COUPLES,
            cancellation_rate=0.14, email_rate=0.98,
        ),
        "Group": Segment(
            weight=8, median_lead_days=110, lead_sigma=0.6, nights=_RESORT_NIGHTS, adults=_MIXED,
            cancellation_rate=0.35, email_rate=0.7,
        ),
        "Corporate": Segment(
            weight=4, median_lead_days=9, lead_sigma=1.0, nights=_BUSINESS_NIGHTS, adults=_BUSINESS,
            cancellation_rate=0.12, email_rate=0.97,
        ),
    },
    room_types={"Standard": 56, "Superior": 22, "Family": 12, "Junior Suite": 7, "Suite": 3},
    countries={
        "PRT": 34, "GBR": 22, "ESP": 11, "DEU": 8, "IRL": 6, "FRA": 6, "NLD": 5, "SWE": 2, "BEL": 2, "POL": 2,
        "USA": 2,
    },
    prices={"Standard": 89, "Superior": 115, "Family": 139, "Junior Suite": 169, "Suite": 239},
    # Weekend guests and guests with weekly packages arrive on Friday and Saturday.
    expensive_weekdays=(5, 6),
)  # fmt: skip

CITY = HotelProfile(
    name="City Hotel",
    prefix="C",
    bookings_per_arrival_date=100,
    # City tourism peaks in spring and autumn. Trade fairs and business trips fill the rest of the year.
    month_factors=(0.65, 0.75, 0.95, 1.1, 1.25, 1.15, 1.05, 1.1, 1.25, 1.15, 0.8, 0.8),
    # City breaks begin on Thursday and Friday, business trips on Monday. Sunday is the quietest day.
    weekday_factors=(1.05, 0.95, 0.95, 1.1, 1.25, 1.05, 0.65),
    children_rates=(0.03, 0.04, 0.05, 0.07, 0.05, 0.06, 0.11, 0.13, 0.05, 0.05, 0.03, 0.07),
    segments={
        "Online agency": Segment(
            weight=54, median_lead_days=28, lead_sigma=1.3, nights=_CITY_NIGHTS, adults=_MIXED,
            cancellation_rate=0.38, email_rate=0.95,
        ),
        "Tour operator": Segment(
            weight=12, median_lead_days=75, lead_sigma=0.8, nights=_CITY_NIGHTS, adults=_COUPLES,
            cancellation_rate=0.25, email_rate=0.6,
        ),
        "Direct": Segment(
            weight=12, median_lead_days=9, lead_sigma=1.5, nights=_CITY_NIGHTS, adults=_MIXED,
            cancellation_rate=0.15, email_rate=0.98,
        ),
        "Group": Segment(
            weight=10, median_lead_days=120, lead_sigma=0.6, nights=_CITY_NIGHTS, adults=_MIXED,
            cancellation_rate=0.42, email_rate=0.7,
        ),
        "Corporate": Segment(
            weight=12, median_lead_days=6, lead_sigma=1.0, nights=_BUSINESS_NIGHTS, adults=_BUSINESS,
            cancellation_rate=0.13, email_rate=0.97,
        ),
    },
    room_types={"Single": 16, "Double": 48, "Twin": 22, "Superior": 10, "Suite": 4},
    countries={
        "PRT": 20, "FRA": 13, "DEU": 11, "ESP": 11, "GBR": 10, "ITA": 7, "BRA": 7, "USA": 7, "NLD": 4, "CHN": 3,
        "SWE": 3, "POL": 2, "ARG": 2,
    },
    prices={"Single": 72, "Double": 95, "Twin": 95, "Superior": 125, "Suite": 199},
    # City breaks begin on Thursday and Friday.
    expensive_weekdays=(4, 5, 6),
)  # fmt: skip

#: Hotels by slug.
PROFILES = {"resort": RESORT, "city": CITY}
