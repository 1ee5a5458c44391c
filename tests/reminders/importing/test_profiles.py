"""Tests of the built-in profiles for vendors' exports."""

import pytest

from reminders.reservations.importing.columns.fields import FIELDS
from reminders.reservations.importing.columns.mapping import missing_fields, propose_mapping
from reminders.reservations.importing.columns.profiles import built_in_profiles, detect_profile

#: The header rows of exports, as in the vendors' documentation to which the profiles refer.
HEADERS = {
    "mews": "Number,Group name,Last name,First name,Email,Telephone,Customer nationality,Status,Created,Canceled,"
    "Arrival,Departure,Person count,Requested category,Space category,Space number,Origin",
    "beds24": "REF number,Roomid,FirstNight,LastNight,CheckOut,status,sub status,NumAdult,NumChild,GuestFirstName,"
    "GuestName,GuestEmail,GuestPhone",
    "hostaway": "guestEmail*,guestFirstName*,guestLastName*,numberOfGuests*,numberOfAdults,arrivalDate*,"
    "departureDate*,listingName,channelName,confirmationCode,status",
    "littlehotelier": "Status,Name,Booking reference,Source,Occupancy,Check-in date,Check-out date,Booked on date,"
    "Room number",
}


@pytest.mark.parametrize(("name", "header"), HEADERS.items())
def test_vendor_export_is_recognized_and_has_all_required_fields(name: str, header: str) -> None:
    columns = header.split(",")
    profile = detect_profile(columns)
    assert profile is not None
    assert profile.name == name
    mapping = propose_mapping(columns, profile=profile)
    assert missing_fields(mapping) == []
    assert mapping.keys() >= {"guest_name", "status", "adults"}


def test_header_of_an_unknown_system_matches_no_profile() -> None:
    assert detect_profile(["reservation_id", "arrival", "departure", "status", "email"]) is None


def test_built_in_profiles_only_map_existing_fields() -> None:
    profiles = built_in_profiles()
    assert sorted(profiles) == [
        "airbnb", "beds24", "booking", "cloudbeds", "hostaway", "littlehotelier", "mews", "opera"
    ]  # fmt: skip
    for profile in profiles.values():
        assert profile.columns.keys() <= FIELDS.keys(), profile.name
