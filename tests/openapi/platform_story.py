"""The story of an operator of the platform, whose requests and responses are examples in the documentation."""

from typing import Any

from django.test import Client

from tenants.models import Hotel
from tests.openapi.recorder import Recorder


def tell_story_of_the_platform(recorder: Recorder, operator: Client, hotel: Hotel) -> None:
    """Create a hotel, edit the hotel Alpha and its contacts, and suspend and resume the hotel Alpha."""

    def call(operation_id: str, status: int = 200, **options: Any) -> Any:
        return recorder.call(operator, operation_id, status=status, **options)

    path = {"id": str(hotel.id)}
    of_hotel = {"hotel_id": str(hotel.id)}
    call("createHotel", 202, body={"slug": "harbour", "name": "Hotel Harbour", "time_zone": "Europe/Lisbon"})
    call("listHotels", query={"status": "active"})
    call("getHotel", path=path)
    call("updateHotel", path=path, body={"domains": ["hotel-sunrise.example"]})
    phone = {"kind": "phone", "value": "+34 600 123 456"}
    contact = call("addContact", 201, path=of_hotel, body=phone)
    call("addContact", 200, path=of_hotel, body=phone)
    call("listContacts", path=of_hotel)
    call("getContact", path={**of_hotel, "id": contact["id"]})
    call("resolveContact", body=phone)
    call("deleteContact", 204, path={**of_hotel, "id": contact["id"]})
    call("suspendHotel", path=path)
    call("resumeHotel", path=path)
    call("listDailyUsage", query={"hotel": str(hotel.id)})
