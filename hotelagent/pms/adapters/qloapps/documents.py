"""The documents of QloApps: the requests that we send, and the values that we read from its responses."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from hotelagent.pms.adapters.interface import ConnectionSettings
from hotelagent.pms.errors import InvalidPmsResponse, RoomTypeNotMapped
from hotelagent.pms.values import (
    BookingRequest,
    Guest,
    Money,
    Offer,
    PmsBooking,
    PmsRoom,
    PmsStatus,
    StaySearch,
)
from locks.errors import InvalidDateRange
from locks.nights import Nights

#: The remark of a booking contains our reference after this prefix.
REMARK_PREFIX = "hotelagent:"
#: The statuses of a booking in the web service: new, complete, cancelled, refunded.
STATUS_NEW, STATUS_COMPLETE, STATUS_CANCELLED, STATUS_REFUNDED = 1, 2, 3, 4
#: The payment status "awaiting payment".
_PAYMENT_AWAITED = 3
_STATUSES = {
    STATUS_NEW: PmsStatus.BOOKED,
    STATUS_COMPLETE: PmsStatus.CHECKED_OUT,
    STATUS_CANCELLED: PmsStatus.CANCELLED,
    STATUS_REFUNDED: PmsStatus.CANCELLED,
}


def room_type_number(settings: ConnectionSettings, room_type: str) -> str:
    """Return the number of a room type in QloApps. Raises RoomTypeNotMapped."""
    try:
        return settings.room_types[room_type]
    except KeyError:
        raise RoomTypeNotMapped(
            TranslatableMessage(
                _("Assign a number of QloApps to the room type {room_type} in the connection."),
                room_type=room_type,
            )
        ) from None


def availability_request(settings: ConnectionSettings, search: StaySearch) -> str:
    """Return the XML document that searches for free rooms."""
    root = ElementTree.Element("qloapps")
    ari = ElementTree.SubElement(root, "hotel_ari")
    fields = {
        "id_hotel": settings.property_id,
        "date_from": search.nights.check_in.isoformat(),
        "date_to": search.nights.check_out.isoformat(),
        "get_available_rooms": "1",
    }
    if search.room_type:
        fields["id_room_type"] = room_type_number(settings, search.room_type)
    for name, value in fields.items():
        ElementTree.SubElement(ari, name).text = value
    associations = ElementTree.SubElement(ari, "associations")
    occupancy = ElementTree.SubElement(
        ElementTree.SubElement(associations, "room_occupancies"), "room_occupancy"
    )
    ElementTree.SubElement(occupancy, "adults").text = str(search.adults)
    ElementTree.SubElement(occupancy, "children").text = str(search.children)
    return ElementTree.tostring(root, encoding="unicode")


def read_offers(settings: ConnectionSettings, document: Any) -> list[Offer]:
    """Return the offers in the response to a search. Room types that are not mapped are left out."""
    names = {number: room_type for room_type, number in settings.room_types.items()}
    offers = []
    for result in _list(document, "hotel_aris", "hotel_ari"):
        currency = _currency(result.get("currency"))
        for room_type in _list(result, "room_types"):
            name = names.get(str(room_type.get("id_room_type")))
            if name is not None:
                offers.append(
                    Offer(
                        room_type=name,
                        free_rooms=_count_free(room_type),
                        price=Money(_price(room_type.get("total_price_with_tax")), currency),
                        taxes_included=True,
                    )
                )
    return offers


def booking_document(settings: ConnectionSettings, request: BookingRequest) -> dict[str, Any]:
    """Return the JSON document that makes a booking, to be paid at the hotel."""
    return {
        "booking": {
            "id_property": int(settings.property_id),
            "currency": request.price.currency if request.price else settings.currency,
            "booking_status": STATUS_NEW,
            "payment_status": _PAYMENT_AWAITED,
            "source": "hotelagent",
            "remark": REMARK_PREFIX + request.reference,
            "associations": {
                "customer_detail": _customer(request.guest),
                "payment_detail": {"payment_type": "pay at hotel", "payment_method": "hotelagent"},
                "room_types": [
                    _room_type(
                        settings,
                        request.room_type,
                        request.nights,
                        [{"adults": request.adults, "child": request.children}] * request.room_count,
                    )
                ],
            },
        }
    }


def cancellation_document(settings: ConnectionSettings, booking: PmsBooking) -> dict[str, Any]:
    """Return the JSON document that cancels a booking. QloApps refuses a change without the rooms of the booking."""
    rooms: dict[tuple[str, Nights], list[dict[str, int]]] = {}
    # `PmsBooking` has only the total number of guests. QloApps does not check the number of guests in each room.
    guests = {"adults": booking.adults, "child": booking.children}
    for room in booking.rooms:
        rooms.setdefault((room.room_type, room.nights), []).append({"id_room": int(room.room), **guests})
    return {
        "booking": {
            "id": int(booking.id),
            "id_property": int(settings.property_id),
            "currency": booking.price.currency if booking.price else settings.currency,
            "booking_status": STATUS_CANCELLED,
            "payment_status": _PAYMENT_AWAITED,
            "associations": {
                "customer_detail": _customer(booking.guest),
                "room_types": [
                    _room_type(settings, room_type, nights, members)
                    for (room_type, nights), members in rooms.items()
                ],
            },
        }
    }


def _room_type(
    settings: ConnectionSettings, room_type: str, nights: Nights, rooms: list[dict[str, int]]
) -> dict[str, Any]:
    """Return the rooms of one type for the same nights.

    All of them must be in one element: QloApps merges elements with the same type and nights, and keeps only the rooms
    of the last one.
    """
    return {
        "id_room_type": int(room_type_number(settings, room_type)),
        "checkin_date": nights.check_in.isoformat(),
        "checkout_date": nights.check_out.isoformat(),
        "number_of_rooms": len(rooms),
        "rooms": rooms,
    }


def _customer(guest: Guest) -> dict[str, str]:
    """Return the customer of a booking. QloApps requires both names, so a single name is sent as both."""
    first_name, _space, last_name = guest.name.strip().rpartition(" ")
    return {
        "firstname": first_name or last_name,
        "lastname": last_name,
        "email": guest.email,
        "phone": guest.phone,
    }


def read_booking(settings: ConnectionSettings, document: Any) -> PmsBooking:
    """Return the booking in a response. Raises InvalidPmsResponse."""
    try:
        booking = document["booking"]
        associations = booking["associations"]
        rooms = _rooms(settings, associations)
        people = [room for type_ in _list(associations, "room_types") for room in _list(type_, "rooms")]
        return PmsBooking(
            id=str(int(booking["id"])),
            reference=_reference(associations.get("remarks")),
            status=_status(booking, rooms),
            rooms=rooms,
            adults=sum(int(room.get("adults") or 0) for room in people) or 1,
            children=sum(int(room.get("child") or 0) for room in people),
            guest=_guest(associations.get("customer_detail") or {}),
            price=_total(booking, associations),
            updated_at=_local_time(settings, booking.get("booking_date")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, InvalidDateRange) as error:
        raise InvalidPmsResponse(
            TranslatableMessage(
                _("A booking in the response of QloApps can't be read: {reason}."),
                reason=type(error).__name__,
            )
        ) from error


def _rooms(settings: ConnectionSettings, associations: Mapping[str, Any]) -> tuple[PmsRoom, ...]:
    names = {number: room_type for room_type, number in settings.room_types.items()}
    return tuple(
        PmsRoom(
            room_type=names.get(str(type_["id_room_type"]), ""),
            room=str(room.get("id_room") or ""),
            nights=Nights(_date(type_["checkin_date"]), _date(type_["checkout_date"])),
        )
        for type_ in _list(associations, "room_types")
        for room in _list(type_, "rooms")
    )


def _status(booking: Mapping[str, Any], rooms: tuple[PmsRoom, ...]) -> PmsStatus:
    """Return the status of a booking. Some versions leave out the status; a booking without rooms is cancelled then."""
    status = booking.get("booking_status")
    if status in {None, ""}:
        return PmsStatus.BOOKED if rooms else PmsStatus.CANCELLED
    return _STATUSES[int(status)]


def _reference(remarks: Any) -> str:
    """Return our reference in the remarks of a booking, or an empty string."""
    for remark in remarks if isinstance(remarks, list) else [remarks]:
        text = str(remark or "")
        if text.startswith(REMARK_PREFIX):
            return text.removeprefix(REMARK_PREFIX).strip()
    return ""


def _guest(customer: Mapping[str, Any]) -> Guest:
    names = (str(customer.get("firstname") or ""), str(customer.get("lastname") or ""))
    # A guest with one name was sent with the name twice.
    name = names[1] if names[0] == names[1] else " ".join(filter(None, names))
    return Guest(name=name, email=str(customer.get("email") or ""), phone=str(customer.get("phone") or ""))


def _total(booking: Mapping[str, Any], associations: Mapping[str, Any]) -> Money | None:
    details = associations.get("price_details") or {}
    if "total_price_without_tax" not in details:
        return None
    total = _price(details["total_price_without_tax"]) + _price(details.get("total_tax") or 0)
    return Money(total, _currency(booking.get("currency")))


def _price(value: Any) -> Decimal:
    """Return a price in the smallest unit of two decimals. Raises InvalidPmsResponse if it is negative or no number."""
    try:
        price = Decimal(str(value)).quantize(Decimal("0.01"))
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or price < 0:
        raise InvalidPmsResponse(
            TranslatableMessage(_("QloApps named a price that is not valid: {price}."), price=str(value)[:40])
        )
    return price


def _currency(value: Any) -> str:
    """Return a currency code. Raises InvalidPmsResponse."""
    code = str(value or "").upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise InvalidPmsResponse(
            TranslatableMessage(
                _("QloApps named a currency that is not known: {currency}."), currency=code[:10]
            )
        )
    return code


def _count_free(room_type: Mapping[str, Any]) -> int:
    rooms = (room_type.get("rooms") or {}).get("available") or []
    return len(rooms)


def _list(document: Any, *names: str) -> Iterable[Any]:
    """Return the list under one of the names. QloApps sends a single element, an empty text or no member instead."""
    for name in names:
        value = document.get(name) if isinstance(document, Mapping) else None
        if value:
            return value if isinstance(value, list) else [value]
    return []


def _date(value: Any) -> datetime.date:
    return datetime.date.fromisoformat(str(value)[:10])


def _local_time(settings: ConnectionSettings, value: Any) -> datetime.datetime | None:
    """Return a time of QloApps, which has no offset, as an aware time in the time zone of the hotel."""
    if not value:
        return None
    local = datetime.datetime.fromisoformat(str(value))
    return local.replace(tzinfo=zoneinfo.ZoneInfo(settings.time_zone))
