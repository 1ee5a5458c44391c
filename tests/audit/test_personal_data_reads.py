"""Tests that an admin page or API response that shows personal data is recorded with exactly one event."""

from datetime import date
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from hotelagent.core.ids import uuid7
from reminders.models import Reservation
from tenants import personal_data
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.personal_data import identifies_people
from tenants.signals import personal_data_read

pytestmark = pytest.mark.django_db


@pytest.fixture
def reservations(hotel: Hotel) -> list[UUID]:
    with hotel_context(hotel):
        created = Reservation.objects.bulk_create(
            Reservation(
                external_id=f"R{number}",
                arrival=date(2030, 5, number),
                departure=date(2030, 5, number + 1),
                guest_name="Ana",
                guest_email="ana@example.com",
            )
            for number in (1, 2)
        )
    return [reservation.id for reservation in created]


def reads(hotel: Hotel) -> list[Event]:
    with hotel_context(hotel):
        return list(Event.objects.filter(event="personal_data.read").order_by("id"))


def targets(event: Event) -> set[tuple[str, str]]:
    return {(kind, identifier) for kind, identifier in event.data["targets"]}


def test_reading_a_list_of_reservations_in_the_api_records_their_ids(
    hotel: Hotel, api: APIClient, reservations: list[UUID]
) -> None:
    assert len(api.get("/api/v1/reservations/").json()["results"]) == 2
    [event] = reads(hotel)
    assert (event.actor_kind, event.data["route"]) == ("key", "reservation-list")
    assert (event.data["kind"], event.data["count"]) == ("reservation", 2)
    assert targets(event) == {("reservation", str(id_)) for id_ in reservations}
    assert "Ana" not in str(event.data) + str(event.personal)


def test_api_request_for_one_reservation_is_recorded_with_the_reservation_as_subject(
    hotel: Hotel, api: APIClient, reservations: list[UUID]
) -> None:
    assert api.get(f"/api/v1/reservations/{reservations[0]}/").status_code == 200
    assert api.get("/api/v1/reservations/by-external-id/R2/").status_code == 200
    assert [(event.subject_kind, event.subject_id) for event in reads(hotel)] == [
        ("reservation", str(reservations[0])),
        ("reservation", str(reservations[1])),
    ]


def test_reading_reservations_in_the_admin_is_recorded(
    hotel: Hotel, staff: Client, reservations: list[UUID]
) -> None:
    assert staff.get("/admin/reminders/reservation/").status_code == 200
    assert staff.get(f"/admin/reminders/reservation/{reservations[0]}/change/").status_code == 200
    page, detail = reads(hotel)
    assert (page.actor_label, page.data["count"]) == ("manager", 2)
    assert targets(page) == {("reservation", str(id_)) for id_ in reservations}
    assert detail.subject_id == str(reservations[0])
    assert detail.data["route"] == "admin:reminders_reservation_change"


def test_reading_the_list_of_staff_in_the_admin_is_recorded(hotel: Hotel, staff: Client) -> None:
    staff.get("/admin/tenants/user/")
    [event] = reads(hotel)
    with hotel_context(hotel):
        assert event.data["count"] == User.objects.count()


def test_request_for_a_page_without_personal_data_is_not_recorded(
    hotel: Hotel, staff: Client, api: APIClient, reservations: list[UUID]
) -> None:
    assert api.get(f"/api/v1/reservations/{uuid7()}/").status_code == 404
    assert api.get("/api/v1/rooms/").status_code == 200
    assert staff.get("/admin/locks/room/").status_code == 200
    assert staff.get(f"/admin/reminders/reservation/{uuid7()}/change/").status_code == 302
    # The list of suppressions has no rows.
    assert staff.get("/admin/reminders/suppression/").status_code == 200
    assert reads(hotel) == []


def test_response_has_no_personal_data_if_the_read_cannot_be_recorded(
    hotel: Hotel, api: APIClient, reservations: list[UUID]
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("trail failed")

    api.raise_request_exception = False
    personal_data_read.connect(fail)
    try:
        response = api.get("/api/v1/reservations/")
    finally:
        personal_data_read.disconnect(fail)
    assert response.status_code == 500
    assert b"Ana" not in response.content


def test_tables_with_masked_names_and_addresses_are_declared_as_identifying_people() -> None:

    masks = {personal_data.mask_name, personal_data.mask_email, personal_data.mask_phone}
    tables = {
        table for table, declared in personal_data._declared.items() if masks & set(declared.masked.values())
    }
    assert {table for table in tables if not identifies_people(table)} == {"tenants_hotel"}


def test_filter_access_finds_the_reads_of_a_reservation_and_of_a_list_that_contains_it(
    hotel: Hotel, api: APIClient, reservations: list[UUID]
) -> None:
    api.get(f"/api/v1/reservations/{reservations[0]}/")
    api.get("/api/v1/reservations/")
    detail, page = reads(hotel)
    for condition, event in (("subject_id", detail), ("text", page)):
        search = {"access": "true", condition: str(reservations[0])}
        found = api.get("/api/v1/audit/", search).json()["results"]
        assert [read["id"] for read in found] == [str(event.id)]
