"""Tests of guest contacts in the platform's API and admin.

The tests include `/resolve/`, which finds a contact's hotel.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import services
from tenants.access import api_keys
from tenants.context import platform_context
from tenants.models import ContactIdentifier, ContactKind, Hotel
from tenants.services import contacts
from tests.interfaces.conftest import page

pytestmark = pytest.mark.django_db

KeyWith = Callable[..., APIClient]
GUEST = {"kind": "email", "value": "Guest@Example.com"}


@pytest.fixture
def key_with() -> KeyWith:
    """Return a function that creates a client of the platform's API. The client's API key has the given scopes."""

    def make(*scopes: str) -> APIClient:
        with platform_context():
            _key, text = api_keys.create(name="a client", scopes=scopes)
        client = APIClient(SERVER_NAME="localhost")
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return make


@pytest.fixture
def client(key_with: KeyWith) -> APIClient:
    return key_with("contacts:read", "contacts:write", "contacts:resolve")


def contacts_url(hotel: Hotel) -> str:
    return f"/api/v1/hotels/{hotel.id}/contacts/"


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("/problems/")


def resolve(client: APIClient, body: dict[str, str]) -> str | None:
    response = client.post("/api/v1/resolve/", body)
    return response.json()["slug"] if response.status_code == 200 else None


def test_resolve_does_not_find_a_removed_contact_or_a_contact_of_a_suspended_hotel(
    client: APIClient, hotel: Hotel
) -> None:
    assert resolve(client, GUEST) is None
    created = client.post(contacts_url(hotel), GUEST)
    assert created.status_code == 201
    assert created.json()["value"] == "guest@example.com"
    assert set(created.json()) == {"id", "kind", "value", "created_at"}
    assert client.get(created["Location"]).json() == created.json()
    assert resolve(client, {"kind": "email", "value": "GUEST@example.com"}) == hotel.slug

    services.suspend_hotel(hotel_id=hotel.id)
    assert resolve(client, GUEST) is None
    services.resume_hotel(hotel_id=hotel.id)

    deleted = client.delete(created["Location"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert resolve(client, GUEST) is None
    assert problem(client.delete(created["Location"])) == (404, "contact-not-found")
    assert problem(client.get(created["Location"])) == (404, "not-found")


def test_adding_a_contact_that_already_exists_returns_the_existing_contact(
    client: APIClient, hotel: Hotel
) -> None:
    created = client.post(contacts_url(hotel), GUEST)
    again = client.post(contacts_url(hotel), {"kind": "email", "value": "guest@EXAMPLE.com"})
    assert (again.status_code, again.json()) == (200, created.json())
    assert "Location" not in again  # only a response with the status 201 has this header


def test_repeated_request_with_an_idempotency_key_returns_the_first_response(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    first = client.post(contacts_url(hotel), GUEST, headers={"Idempotency-Key": "one"})
    again = client.post(contacts_url(hotel), GUEST, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    other = client.post(contacts_url(other_hotel), GUEST, headers={"Idempotency-Key": "one"})
    assert problem(other) == (409, "contact-conflict")
    with platform_context():
        assert Event.objects.filter(event="contact.added").count() == 1


def test_conflict_about_a_contact_does_not_reveal_the_hotel_that_has_the_contact(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    theirs = client.post(contacts_url(other_hotel), GUEST)
    refused = client.post(contacts_url(hotel), GUEST)
    assert problem(refused) == (409, "contact-conflict")
    for word in (other_hotel.slug, other_hotel.name, str(other_hotel.id), theirs.json()["id"], "guest@"):
        assert word not in refused.content.decode()
    for method in (client.get, client.delete):  # the URL names the wrong hotel
        assert method(f"{contacts_url(hotel)}{theirs.json()['id']}/").status_code == 404
    assert resolve(client, GUEST) == other_hotel.slug


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "phone", "value": "600 123 456"}, (422, "invalid-contact")),
        ({"kind": "email", "value": "guest@example"}, (422, "invalid-contact")),
        ({"kind": "phone", "value": "guest@example.com"}, (422, "invalid-contact")),
        ({"kind": "fax", "value": "+34600123456"}, (400, "invalid")),
        ({"kind": "email", "value": "a" * 255}, (400, "invalid")),
        ({"kind": "email", "value": "guest\0@example.com"}, (400, "invalid")),
        ({"kind": "email", "value": ["guest@example.com"]}, (400, "invalid")),
        ({"kind": "email"}, (400, "invalid")),
        ({**GUEST, "hotel": "x"}, (400, "invalid")),
    ],
)  # fmt: skip
def test_adding_an_invalid_contact_is_refused(
    client: APIClient, hotel: Hotel, body: Any, expected: tuple[int, str]
) -> None:
    assert problem(client.post(contacts_url(hotel), body)) == expected
    assert client.get(contacts_url(hotel)).json()["results"] == []


def test_contacts_url_of_an_unknown_hotel_returns_404(client: APIClient) -> None:
    url = f"/api/v1/hotels/{uuid7()}/contacts/"
    assert problem(client.get(url)) == (404, "hotel-not-found")
    assert problem(client.post(url, GUEST)) == (404, "hotel-not-found")
    assert problem(client.delete(f"{url}{uuid7()}/")) == (404, "hotel-not-found")
    assert client.get("/api/v1/hotels/alpha/contacts/").status_code == 404


def test_contact_list_is_paginated_and_can_be_filtered_by_kind(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    for number in range(3):
        client.post(contacts_url(hotel), {"kind": "phone", "value": f"+3460012345{number}"})
    client.post(contacts_url(hotel), GUEST)
    client.post(contacts_url(other_hotel), {"kind": "phone", "value": "+34600999999"})
    first = client.get(f"{contacts_url(hotel)}?kind=phone&page_size=2").json()
    assert [row["value"] for row in first["results"]] == ["+34600123452", "+34600123451"]
    second = client.get(first["next"]).json()
    assert [row["value"] for row in second["results"]] == ["+34600123450"]
    assert second["next"] is None
    # A filter by value would put the guest's phone number into the logs of all proxies.
    assert problem(client.get(f"{contacts_url(hotel)}?value=guest@example.com")) == (400, "invalid")


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("contacts:read", {"get"}),
        ("contacts:write", {"post", "delete"}),
        ("contacts:resolve", set()),
        ("hotels:write", set()),
    ],
)
def test_contact_operation_without_its_required_scope_returns_403(
    key_with: KeyWith, hotel: Hotel, scope: str, allowed: set[str]
) -> None:
    contact, _ = contacts.add_contact(hotel_id=hotel.id, kind=ContactKind.EMAIL, value="guest@example.com")
    client = key_with(scope)
    responses = {
        "get": client.get(contacts_url(hotel)),
        "post": client.post(contacts_url(hotel), GUEST),
        "delete": client.delete(f"{contacts_url(hotel)}{contact.id}/"),
    }
    assert {method for method, response in responses.items() if response.status_code < 300} == allowed
    assert {response.status_code for method, response in responses.items() if method not in allowed} <= {403}


def test_contacts_url_on_a_hotel_host_returns_404(api: APIClient, hotel: Hotel) -> None:
    assert api.post(contacts_url(hotel), GUEST).status_code == 404


def test_contact_value_is_in_neither_the_audit_trail_nor_the_logs(
    client: APIClient, hotel: Hotel, other_hotel: Hotel, capfd: pytest.CaptureFixture[str]
) -> None:
    body = {"kind": "phone", "value": "+34 600 123 456"}
    created = client.post(contacts_url(hotel), body)
    client.post(contacts_url(other_hotel), body)
    client.post(contacts_url(hotel), {"kind": "phone", "value": "600123456"})
    client.delete(created["Location"])
    with platform_context():
        events = list(Event.objects.values("event", "subject_kind", "subject_id", "data"))
        by_key = Event.objects.filter(event__startswith="contact.").order_by("id")
        descriptions = [event.description.partition(") ")[2] for event in by_key]
    assert "600123456" not in json.dumps([event["data"] for event in events]).replace(" ", "")
    assert descriptions == [
        "added a guest contact (phone number) to the hotel alpha",
        "removed a guest contact (phone number) from the hotel alpha",
    ]
    out, err = capfd.readouterr()
    assert "600123456" not in (out + err).replace(" ", "")


# The platform's admin

LIST = "/admin/tenants/contactidentifier/"


def add_in_admin(operator: Client, hotel: Hotel, kind: str, value: str) -> Any:
    return operator.post(f"{LIST}add/", {"hotel": str(hotel.pk), "kind": kind, "value": value}, follow=True)


def stored_contacts() -> list[tuple[str, str]]:
    with platform_context():
        return list(ContactIdentifier.objects.order_by("value").values_list("hotel__slug", "value"))


def test_platform_staff_can_add_and_remove_a_contact(operator: Client, hotel: Hotel) -> None:
    assert add_in_admin(operator, hotel, "phone", "+34 (600) 123-456").status_code == 200
    assert stored_contacts() == [("alpha", "+34600123456")]
    with platform_context():
        contact = ContactIdentifier.objects.get()
    history = page(operator, f"{LIST}{contact.pk}/history/")
    assert "operator added a guest contact (phone number) to the hotel alpha" in history
    assert ">1<" in page(operator, f"/admin/tenants/hotel/{hotel.pk}/change/")
    assert operator.post(f"{LIST}{contact.pk}/delete/", {"post": "yes"}).status_code == 302
    assert stored_contacts() == []
    with platform_context():
        events = Event.objects.filter(personal__actor__value__label="operator", event__startswith="contact.")
        assert sorted(events.values_list("event", flat=True)) == ["contact.added", "contact.removed"]


def test_delete_action_in_the_admin_removes_only_the_selected_contacts(
    operator: Client, hotel: Hotel
) -> None:
    for value in ("a@example.com", "b@example.com", "c@example.com"):
        add_in_admin(operator, hotel, "email", value)
    with platform_context():
        selected = [str(row.pk) for row in ContactIdentifier.objects.exclude(value="b@example.com")]
    operator.post(LIST, {"action": "delete_selected", "_selected_action": selected, "post": "yes"})
    assert stored_contacts() == [("alpha", "b@example.com")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("email", "TAKEN@example.com"), "The contact belongs to another hotel."),
        (("email", "Mine@example.com"), "The hotel already has this contact."),
        (("email", "guest@example"), "Enter a valid e-mail address."),
        (("phone", "600123456"), "Enter a phone number with its country code"),
    ],
)
def test_admin_form_with_an_invalid_contact_shows_the_error_at_the_field(
    operator: Client, hotel: Hotel, other_hotel: Hotel, values: tuple[str, str], message: str
) -> None:
    add_in_admin(operator, other_hotel, "email", "taken@example.com")
    add_in_admin(operator, hotel, "email", "mine@example.com")
    before = stored_contacts()
    response = add_in_admin(operator, hotel, *values)
    assert response.context["adminform"].form.errors.keys() == {"value"}
    assert message in response.content.decode()
    assert stored_contacts() == before


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("+34-600-123-456", {"+34600123456"}),
        ("600 123", {"+34600123456"}),
        ("ANNA@MÜNCHEN.example", {"anna@xn--mnchen-3ya.example"}),
        ("anna@", {"anna@xn--mnchen-3ya.example"}),
        ("Hotel Beta", {"anna@xn--mnchen-3ya.example"}),
        ("nobody@example.com", set()),
    ],
)
def test_admin_search_finds_a_contact_written_in_another_format(
    operator: Client, hotel: Hotel, other_hotel: Hotel, search: str, found: set[str]
) -> None:
    add_in_admin(operator, hotel, "phone", "+34600123456")
    add_in_admin(operator, other_hotel, "email", "anna@münchen.example")
    results = operator.get(LIST, {"q": search}).context["cl"].result_list
    assert {contact.value for contact in results} == found


def test_admin_list_filtered_by_hotel_shows_only_the_contacts_of_the_hotel(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    add_in_admin(operator, hotel, "email", "mine@example.com")
    add_in_admin(operator, other_hotel, "email", "theirs@example.com")
    html = page(operator, f"{LIST}?hotel__id__exact={hotel.pk}")
    assert "mine@example.com" in html
    assert "theirs@example.com" not in html


def test_contacts_page_and_its_errors_are_translated_to_spanish(operator: Client, hotel: Hotel) -> None:
    operator.cookies["django_language"] = "es"
    assert "Contactos de huéspedes" in page(operator, LIST)
    assert (
        "Introduzca una dirección de correo"
        in add_in_admin(operator, hotel, "email", "nobody").content.decode()
    )


def test_hotel_admin_has_no_contacts_page(staff: Client) -> None:
    assert staff.get(LIST).status_code == 404
