"""Tests of the generated rates of the demonstration hotels."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from hotelagent.demo.hotels import create_rates
from hotelagent.demo.profiles import CITY, PROFILES, RESORT, HotelProfile
from hotelagent.demo.rates import generate_rates
from hotelagent.pms.models import Rate
from hotelagent.pms.rates import rate_of_night
from hotelagent.pms.search import search_availability
from hotelagent.pms.values import StaySearch
from locks import selectors, services
from locks.nights import Nights
from tenants.models import Hotel

TODAY = date(2030, 6, 12)


def values(rates: Iterable[Rate]) -> list[tuple[object, ...]]:
    return [(r.room_type, r.first_night, r.last_night, r.weekdays, r.price, r.minimum_nights) for r in rates]


def prices(profile: HotelProfile, room_type: str) -> dict[date, int]:
    """Return the price of each night of the year that begins with `TODAY`."""
    rates = [rate for rate in generate_rates(profile, today=TODAY) if rate.room_type == room_type]
    nights = (TODAY + timedelta(days=offset) for offset in range(366))
    found = {night: rate_of_night(rates, night) for night in nights}
    return {night: int(rate.price) for night, rate in found.items() if rate is not None}


def test_rates_of_a_month_depend_only_on_the_seed() -> None:
    rates = values(generate_rates(RESORT, today=TODAY))
    assert rates == values(generate_rates(RESORT, today=TODAY.replace(day=30)))
    assert rates != values(generate_rates(RESORT, today=TODAY, seed=2))
    next_month = values(generate_rates(RESORT, today=date(2030, 7, 1)))
    assert [rate for rate in next_month if rate in rates] == [r for r in rates if str(r[1]) >= "2030-07-01"]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_room_type_has_a_price_for_each_night_of_the_coming_year(profile: HotelProfile) -> None:
    assert set(profile.prices) == set(profile.room_types)
    for room_type in profile.room_types:
        assert len(prices(profile, room_type)) == 366


def test_prices_follow_the_season_and_the_weekday_and_have_four_events() -> None:
    nights = prices(RESORT, "Standard")
    assert nights[date(2030, 8, 6)] > 1.2 * nights[date(2031, 1, 7)]
    cheapest_of_june = min(price for night, price in nights.items() if (night.year, night.month) == (2030, 6))
    assert nights[date(2030, 6, 14)] > cheapest_of_june
    events = [rate for rate in generate_rates(CITY, today=TODAY) if rate.minimum_nights > 1]
    assert len({rate.first_night for rate in events if rate.first_night < date(2031, 6, 1)}) in {3, 4, 5}


@pytest.mark.django_db
def test_created_rates_give_offers_with_prices(in_hotel: Hotel) -> None:
    services.ensure_rooms({"Double": 2, "Suite": 1})
    check_in = selectors.today() + timedelta(days=30)
    search = StaySearch(Nights(check_in, check_in + timedelta(days=3)), adults=2, room_type="")
    assert [offer.price for offer in search_availability(search).offers] == [None, None]
    create_rates("city")
    offers = {offer.room_type: offer.price for offer in search_availability(search).offers}
    double, suite = offers["Double"], offers["Suite"]
    assert double is not None
    assert suite is not None
    assert (double.currency, suite.currency) == ("EUR", "EUR")
    assert suite.amount > double.amount > 3 * 50
