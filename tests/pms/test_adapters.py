"""The tests of the contract of adapters for each adapter, and of what only the remote adapter can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotelagent.pms import connections
from hotelagent.pms.adapters.interface import Adapter
from hotelagent.pms.models import Rate
from hotelagent.pms.values import PmsStatus, StaySearch
from tests.pms.conftest import FakeQloApps
from tests.pms.contract import AdapterContract, request_of

Search = Callable[..., StaySearch]


class TestLocalAdapter(AdapterContract):
    @pytest.fixture
    def adapter(self, rooms: None, search: Search) -> Adapter:
        nights = search().nights
        Rate.objects.create(
            room_type="double", first_night=nights.check_in, last_night=nights.check_out, price=90
        )
        return connections.adapter_of(connections.change_connection(changes={"currency": "EUR"}))


class TestQloAppsAdapter(AdapterContract):
    @pytest.fixture
    def adapter(self, qloapps: FakeQloApps) -> Adapter:
        return connections.adapter_of(connections.current_connection())

    def test_booking_is_found_by_its_reference(self, adapter: Adapter, search: Search) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678"))
        adapter.book(request_of(search(), reference="REFABCDEFG"))
        assert adapter.find("REF2345678", since=self.since) == [made]

    def test_booking_can_be_cancelled_twice(self, adapter: Adapter, search: Search) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678"))
        adapter.cancel(made)
        adapter.cancel(made)
        [found] = adapter.find("REF2345678", since=self.since)
        assert found.status is PmsStatus.CANCELLED

    def test_booking_of_several_rooms_is_cancelled_as_a_whole(self, adapter: Adapter, search: Search) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678", room_count=3))
        adapter.cancel(made)
        assert adapter.availability(search())[0].free_rooms == 3

    def test_list_changes_returns_each_changed_booking_once(self, adapter: Adapter, search: Search) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678"))
        assert list(adapter.list_changes(None)) == [made]
        assert list(adapter.list_changes(self.since)) == [made]

    def test_cancellation_without_rooms_is_refused_by_the_server(
        self, adapter: Adapter, qloapps: FakeQloApps
    ) -> None:
        """The control: the server has the fault because of which the adapter sends the rooms."""
        with pytest.raises(Exception, match="not available"):
            adapter._client.change(  # type: ignore[attr-defined]
                "PUT", "bookings", {"booking": {"id": 1, "booking_status": 3, "associations": {}}}
            )
