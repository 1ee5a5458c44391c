"""Searches for available room types and prices, through the cache or directly in the PMS."""

from __future__ import annotations

import time

from hotelagent.pms.adapters.interface import Capability
from hotelagent.pms.calls import availability_cache, requests
from hotelagent.pms.calls.availability_cache import Availability
from hotelagent.pms.connections import adapter_of, current_connection
from hotelagent.pms.values import Offer, StaySearch


def search_availability(search: StaySearch) -> Availability:
    """Return the room types that can be booked. The result may be up to `policy.FRESH_SECONDS` old.

    If the PMS is unavailable, the result may be up to `policy.STALE_SECONDS` old, and says so. Call this function
    outside of a transaction. Raises a PmsError.
    """
    adapter = adapter_of(current_connection())
    if Capability.REMOTE not in adapter.capabilities:
        return Availability(tuple(adapter.availability(search)), time.time(), is_stale=False)
    return availability_cache.search(
        search, load=lambda: requests.read(adapter, "availability", lambda: adapter.availability(search))
    )


def current_offer(search: StaySearch) -> Offer:
    """Return the offer for a room type directly from the PMS, never from the cache.

    Call this function outside of a transaction. Raises RoomTypeNotMapped, NoPrice or another PmsError.
    """
    adapter = adapter_of(current_connection())
    return requests.read(adapter, "quote", lambda: adapter.quote(search))
