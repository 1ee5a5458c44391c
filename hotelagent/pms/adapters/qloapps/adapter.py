"""The adapter for QloApps 1.6."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hotelagent.core.messages import TranslatableMessage
from hotelagent.pms.adapters.interface import Capability, CheckResult, ConnectionSettings
from hotelagent.pms.adapters.qloapps import documents
from hotelagent.pms.adapters.qloapps.client import Client
from hotelagent.pms.errors import InvalidPmsResponse, NoPrice, PmsError, PmsOutcomeUnknown, PmsUnavailable
from hotelagent.pms.values import BookingRequest, Offer, PmsBooking, StaySearch

#: Maximum number of bookings that one search or synchronization reads.
MAX_BOOKINGS = 2_000


class QloAppsAdapter:
    """A QloApps server as a PMS."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.REMOTE, Capability.CHANGES, Capability.PRICES}
    )

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._client = Client(settings)

    def check(self) -> Sequence[CheckResult]:
        results = []
        for resource, name in (
            (f"hotels/{self._settings.property_id}", _("Property")),
            ("room_types", _("Room types")),
            ("bookings", _("Bookings")),
            ("orders", _("Orders")),
        ):
            try:
                found = self._client.get(resource)
            except PmsError as error:
                results.append(CheckResult(name, passed=False, detail=error.detail))
                if isinstance(error, PmsUnavailable):
                    break
            else:
                detail = _("Access is granted.") if found is not None else _("QloApps has no such property.")
                results.append(CheckResult(name, passed=found is not None, detail=detail))
        if not self._settings.room_types:
            results.append(
                CheckResult(
                    _("Assignment"), passed=False, detail=_("Assign your room types to those of QloApps.")
                )
            )
        return results

    def availability(self, search: StaySearch) -> list[Offer]:
        document = documents.availability_request(self._settings, search)
        return documents.read_offers(self._settings, self._client.search("hotel_ari", document))

    def quote(self, search: StaySearch) -> Offer:
        documents.room_type_number(self._settings, search.room_type)
        for offer in self.availability(search):
            if offer.room_type == search.room_type:
                return offer
        raise NoPrice

    def book(self, request: BookingRequest) -> PmsBooking:
        document = documents.booking_document(self._settings, request)
        response = self._client.change("POST", "bookings", document)
        try:
            return documents.read_booking(self._settings, response)
        except InvalidPmsResponse as error:
            raise PmsOutcomeUnknown(error.detail) from error

    def find(self, reference: str, *, since: datetime.datetime) -> list[PmsBooking]:
        return [booking for booking in self._read_orders("date_add", since) if booking.reference == reference]

    def cancel(self, booking: PmsBooking) -> None:
        self._client.change("PUT", "bookings", documents.cancellation_document(self._settings, booking))

    def list_changes(self, since: datetime.datetime | None) -> Iterable[PmsBooking]:
        return self._read_orders("date_upd", since)

    def _read_orders(self, time_field: str, since: datetime.datetime | None) -> list[PmsBooking]:
        """Return the bookings whose time is at or after `since`. The resource "orders" can be filtered by times."""
        query = {"display": "[id]", "limit": str(MAX_BOOKINGS + 1)}
        if since is not None:
            local = since.astimezone(zoneinfo.ZoneInfo(self._settings.time_zone))
            query |= {
                "date": "1",
                f"filter[{time_field}]": f"[{local:%Y-%m-%d %H:%M:%S},2999-12-31 00:00:00]",
            }
        document = self._client.get("orders", **query)
        # QloApps sends an empty list instead of an object if no order matches.
        orders = document.get("orders", []) if isinstance(document, dict) else []
        if len(orders) > MAX_BOOKINGS:
            raise PmsUnavailable(
                TranslatableMessage(
                    gettext_noop("QloApps has more than {limit} bookings in this period."), limit=MAX_BOOKINGS
                )
            )
        bookings = (self._client.get(f"bookings/{int(order['id'])}") for order in orders)
        return [documents.read_booking(self._settings, found) for found in bookings if found is not None]
