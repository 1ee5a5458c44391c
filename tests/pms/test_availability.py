"""Tests of searches: cached for a minute, labelled when stale, and loaded once for many callers."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest

from hotelagent.pms import connections, policy
from hotelagent.pms.bookings import services
from hotelagent.pms.calls import availability_cache
from hotelagent.pms.errors import InvalidPmsResponse, PmsError, PmsUnavailable
from hotelagent.pms.models import Rate
from hotelagent.pms.search import current_offer, search_availability
from hotelagent.pms.values import Money, StaySearch
from locks.nights import Nights
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.pms.conftest import GUEST, FakeQloApps, connect_to
from tests.threads import call_at_the_same_time

Search = Callable[..., StaySearch]


@pytest.mark.django_db
def test_repeated_search_gets_its_offers_from_the_cache(qloapps: FakeQloApps, search: Search) -> None:
    first, second = (search_availability(search()) for _search in range(2))
    assert first == second
    assert [(offer.room_type, offer.free_rooms, offer.price) for offer in first.offers] == [
        ("double", 3, Money(Decimal("200.00"), "EUR"))
    ]
    assert qloapps.searches == 1


@pytest.mark.django_db
def test_booking_through_hotelagent_invalidates_the_cached_availability(
    qloapps: FakeQloApps, search: Search
) -> None:
    search_availability(search())
    services.book(search=search(), guest=GUEST, price=None)
    [offer] = search_availability(search()).offers
    assert offer.free_rooms == 2


@pytest.mark.django_db
def test_current_offer_comes_from_the_pms_and_not_from_the_cache(
    qloapps: FakeQloApps, search: Search
) -> None:
    search_availability(search())
    qloapps.set(price=130.0)
    assert current_offer(search()).price == Money(Decimal("260.00"), "EUR")


@pytest.mark.django_db
def test_stale_offers_are_labelled_while_the_pms_is_unavailable(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_availability(search())
    monkeypatch.setattr(policy, "FRESH_SECONDS", 0)
    qloapps.set(read_fault="503")
    found = search_availability(search())
    assert (found.is_stale, len(found.offers)) == (True, 1)


@pytest.mark.django_db
def test_offers_older_than_15_minutes_are_not_used(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_availability(search())
    monkeypatch.setattr(policy, "FRESH_SECONDS", 0)
    monkeypatch.setattr(policy, "STALE_SECONDS", 0)
    qloapps.set(read_fault="503")
    with pytest.raises(PmsUnavailable):
        search_availability(search())


@pytest.mark.django_db
def test_hotel_does_not_see_the_offers_of_another_hotel(
    qloapps: FakeQloApps, search: Search, other_hotel: Hotel
) -> None:
    search_availability(search())
    with hotel_context(other_hotel):
        assert search_availability(search()).offers == ()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_fast_retries")
def test_100_simultaneous_searches_for_the_same_stay_call_the_pms_once(
    hotel: Hotel, fake_qloapps: FakeQloApps
) -> None:
    with hotel_context(hotel):
        connect_to(fake_qloapps.url)
        request = StaySearch(_some_nights(), adults=2)
    fake_qloapps.set(delay=0.3)
    results = call_at_the_same_time(hotel, *[lambda: search_availability(request)] * 100)
    assert {result.as_of for result in results} == {results[0].as_of}
    assert fake_qloapps.searches == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html", InvalidPmsResponse),
        ("empty", InvalidPmsResponse),
        ("huge", PmsUnavailable),
        ("slow", PmsUnavailable),
    ],
)
def test_search_with_an_unusable_response_of_the_pms_raises_an_error(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[PmsError]
) -> None:
    monkeypatch.setattr(policy, "READ_TIMEOUT_SECONDS", 0.5)
    qloapps.set(read_fault=fault)
    with pytest.raises(error):
        search_availability(search())


@pytest.mark.django_db
@pytest.mark.parametrize("state", [{"currency": "BITCOIN"}, {"price": -1}])
def test_offer_with_an_invalid_price_is_refused(
    qloapps: FakeQloApps, search: Search, state: dict[str, object]
) -> None:
    qloapps.set(**state)
    with pytest.raises(InvalidPmsResponse):
        current_offer(search())


@pytest.mark.django_db
def test_local_offers_have_the_rate_of_each_night(rooms: None, search: Search) -> None:
    request = search(1, 3)
    nights = request.nights
    Rate.objects.create(
        room_type="double", first_night=nights.check_in, last_night=nights.check_out, price=100
    )
    Rate.objects.create(
        room_type="double", first_night=nights.dates()[1], last_night=nights.dates()[1], price="150.50"
    )
    connections.change_connection(changes={"currency": "EUR"})
    [offer] = search_availability(request).offers
    assert offer.price == Money(Decimal("350.50"), "EUR")


@pytest.mark.django_db
def test_local_offer_without_a_rate_for_a_night_has_no_price(rooms: None, search: Search) -> None:
    request = search(1, 2)
    Rate.objects.create(
        room_type="double", first_night=request.nights.check_in, last_night=request.nights.check_in, price=100
    )
    [offer] = search_availability(request).offers
    assert offer.price is None


def _some_nights() -> Nights:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return Nights(today + datetime.timedelta(days=5), today + datetime.timedelta(days=7))


def test_cache_key_does_not_contain_the_text_of_the_client() -> None:
    request = StaySearch(_some_nights(), room_type="<script>")
    assert "script" not in availability_cache._key_of(request)
