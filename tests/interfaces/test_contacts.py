"""A hotel's contacts over the platform's API and in its admin, and `/resolve/`, which finds the hotel by them."""

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
    """Makes a client of the platform's API whose key has these scopes."""

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


def of(hotel: Hotel) -> str:
    return f"/api/v1/hotels/{hotel.id}/contacts/"


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("/problems/")


def resolved(client: APIClient, body: dict[str, str]) -> str | None:
    response = client.post("/api/v1/resolve/", body)
    return response.json()["slug"] if response.status_code == 200 else None


def test_it_leads_to_the_hotel_from_when_it_is_added_until_it_is_removed(
    client: APIClient, hotel: Hotel
) -> None:
    assert resolved(client, GUEST) is None
    made = client.post(of(hotel), GUEST)
    assert made.status_code == 201
    assert made.json()["value"] == "guest@example.com"
    assert set(made.json()) == {"id", "kind", "value", "created_at"}
    assert client.get(made["Location"]).json() == made.json()
    assert resolved(client, {"kind": "email", "value": "GUEST@example.com"}) == hotel.slug

    services.suspend_hotel(hotel_id=hotel.id)
    assert resolved(client, GUEST) is None
    services.resume_hotel(hotel_id=hotel.id)

    gone = client.delete(made["Location"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert resolved(client, GUEST) is None
    assert problem(client.delete(made["Location"])) == (404, "contact-not-found")
    assert problem(client.get(made["Location"])) == (404, "not-found")


def test_adding_it_again_is_no_error_and_makes_nothing(client: APIClient, hotel: Hotel) -> None:
    made = client.post(of(hotel), GUEST)
    again = client.post(of(hotel), {"kind": "email", "value": "guest@EXAMPLE.com"})
    assert (again.status_code, again.json()) == (200, made.json())
    assert again["Location"] == made["Location"]


def test_a_repeated_request_gets_the_first_answer(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    first = client.post(of(hotel), GUEST, headers={"Idempotency-Key": "one"})
    again = client.post(of(hotel), GUEST, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    elsewhere = client.post(of(other_hotel), GUEST, headers={"Idempotency-Key": "one"})
    assert problem(elsewhere) == (409, "contact-conflict")
    with platform_context():
        assert Event.objects.filter(event="contact.added").count() == 1


def test_another_hotels_is_refused_without_saying_whose_it_is(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    theirs = client.post(of(other_hotel), GUEST)
    refused = client.post(of(hotel), GUEST)
    assert problem(refused) == (409, "contact-conflict")
    for word in (other_hotel.slug, other_hotel.name, str(other_hotel.id), theirs.json()["id"], "guest@"):
        assert word not in refused.content.decode()
    for reach in (client.get, client.delete):  # by the other hotel's address
        assert reach(f"{of(hotel)}{theirs.json()['id']}/").status_code == 404
    assert resolved(client, GUEST) == other_hotel.slug


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
def test_what_is_no_contact_is_refused(
    client: APIClient, hotel: Hotel, body: Any, expected: tuple[int, str]
) -> None:
    assert problem(client.post(of(hotel), body)) == expected
    assert client.get(of(hotel)).json()["results"] == []


def test_a_hotel_that_is_not_there_is_told(client: APIClient) -> None:
    address = f"/api/v1/hotels/{uuid7()}/contacts/"
    assert problem(client.get(address)) == (404, "hotel-not-found")
    assert problem(client.post(address, GUEST)) == (404, "hotel-not-found")
    assert problem(client.delete(f"{address}{uuid7()}/")) == (404, "hotel-not-found")
    assert client.get("/api/v1/hotels/alpha/contacts/").status_code == 404


def test_the_list_is_of_one_hotel_by_pages_and_kinds(
    client: APIClient, hotel: Hotel, other_hotel: Hotel
) -> None:
    for number in range(3):
        client.post(of(hotel), {"kind": "phone", "value": f"+3460012345{number}"})
    client.post(of(hotel), GUEST)
    client.post(of(other_hotel), {"kind": "phone", "value": "+34600999999"})
    first = client.get(f"{of(hotel)}?kind=phone&page_size=2").json()
    assert [row["value"] for row in first["results"]] == ["+34600123452", "+34600123451"]
    rest = client.get(first["next"]).json()
    assert [row["value"] for row in rest["results"]] == ["+34600123450"]
    assert rest["next"] is None
    # A guest's phone in an address would stand in every proxy's log.
    assert problem(client.get(f"{of(hotel)}?value=guest@example.com")) == (400, "invalid")


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("contacts:read", {"get"}),
        ("contacts:write", {"post", "delete"}),
        ("contacts:resolve", set()),
        ("hotels:write", set()),
    ],
)
def test_each_needs_its_scope(key_with: KeyWith, hotel: Hotel, scope: str, may: set[str]) -> None:
    contact, _ = contacts.add_contact(hotel_id=hotel.id, kind=ContactKind.EMAIL, value="guest@example.com")
    client = key_with(scope)
    asked = {
        "get": client.get(of(hotel)),
        "post": client.post(of(hotel), GUEST),
        "delete": client.delete(f"{of(hotel)}{contact.id}/"),
    }
    assert {method for method, response in asked.items() if response.status_code < 300} == may
    assert {response.status_code for method, response in asked.items() if method not in may} <= {403}


def test_a_hotels_own_key_may_not(api: APIClient, hotel: Hotel) -> None:
    assert api.post(of(hotel), GUEST).status_code == 404


def test_nothing_of_a_contact_is_in_the_trail_or_the_logs(
    client: APIClient, hotel: Hotel, other_hotel: Hotel, capfd: pytest.CaptureFixture[str]
) -> None:
    body = {"kind": "phone", "value": "+34 600 123 456"}
    made = client.post(of(hotel), body)
    client.post(of(other_hotel), body)
    client.post(of(hotel), {"kind": "phone", "value": "600123456"})
    client.delete(made["Location"])
    with platform_context():
        told = list(Event.objects.values("event", "subject_kind", "subject_id", "data"))
        by_key = Event.objects.filter(event__startswith="contact.").order_by("id")
        descriptions = [event.description.partition(") ")[2] for event in by_key]
    assert "600123456" not in json.dumps([event["data"] for event in told]).replace(" ", "")
    assert descriptions == [
        "added a guest contact to alpha: phone number", "removed a guest contact from alpha: phone number",
    ]  # fmt: skip
    out, err = capfd.readouterr()
    assert "600123456" not in (out + err).replace(" ", "")


# The platform's admin

LIST = "/admin/tenants/contactidentifier/"


def send(operator: Client, hotel: Hotel, kind: str, value: str) -> Any:
    return operator.post(f"{LIST}add/", {"hotel": str(hotel.pk), "kind": kind, "value": value}, follow=True)


def stored() -> list[tuple[str, str]]:
    with platform_context():
        return list(ContactIdentifier.objects.order_by("value").values_list("hotel__slug", "value"))


def test_platform_staff_add_and_remove_them(operator: Client, hotel: Hotel) -> None:
    assert send(operator, hotel, "phone", "+34 (600) 123-456").status_code == 200
    assert stored() == [("alpha", "+34600123456")]
    with platform_context():
        contact = ContactIdentifier.objects.get()
    history = page(operator, f"{LIST}{contact.pk}/history/")
    assert "operator added a guest contact to alpha: phone" in history
    assert ">1<" in page(operator, f"/admin/tenants/hotel/{hotel.pk}/change/")
    assert operator.post(f"{LIST}{contact.pk}/delete/", {"post": "yes"}).status_code == 302
    assert stored() == []
    with platform_context():
        told = Event.objects.filter(actor_label="operator", event__startswith="contact.")
        assert sorted(told.values_list("event", flat=True)) == ["contact.added", "contact.removed"]


def test_those_that_are_chosen_in_the_list_are_removed(operator: Client, hotel: Hotel) -> None:
    for value in ("a@example.com", "b@example.com", "c@example.com"):
        send(operator, hotel, "email", value)
    with platform_context():
        chosen = [str(row.pk) for row in ContactIdentifier.objects.exclude(value="b@example.com")]
    operator.post(LIST, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert stored() == [("alpha", "b@example.com")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("email", "TAKEN@example.com"), "The contact belongs to another hotel."),
        (("email", "Mine@example.com"), "The hotel already has this contact."),
        (("email", "guest@example"), "Enter a valid e-mail address."),
        (("phone", "600123456"), "Enter a phone number with its country code"),
    ],
)
def test_what_can_not_be_added_is_said_beside_the_field(
    operator: Client, hotel: Hotel, other_hotel: Hotel, typed: tuple[str, str], said: str
) -> None:
    send(operator, other_hotel, "email", "taken@example.com")
    send(operator, hotel, "email", "mine@example.com")
    before = stored()
    response = send(operator, hotel, *typed)
    assert response.context["adminform"].form.errors.keys() == {"value"}
    assert said in response.content.decode()
    assert stored() == before


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("+34-600-123-456", {"+34600123456"}),
        ("600 123", {"+34600123456"}),
        ("ANNA@MÜNCHEN.example", {"anna@xn--mnchen-3ya.example"}),
        ("anna@", {"anna@xn--mnchen-3ya.example"}),
        ("Hotel Beta", {"anna@xn--mnchen-3ya.example"}),
        ("nobody@example.com", set()),
    ],
)
def test_one_is_found_however_it_is_typed(
    operator: Client, hotel: Hotel, other_hotel: Hotel, typed: str, shown: set[str]
) -> None:
    send(operator, hotel, "phone", "+34600123456")
    send(operator, other_hotel, "email", "anna@münchen.example")
    results = operator.get(LIST, {"q": typed}).context["cl"].result_list
    assert {contact.value for contact in results} == shown


def test_the_way_from_the_hotel_shows_its_own(operator: Client, hotel: Hotel, other_hotel: Hotel) -> None:
    send(operator, hotel, "email", "mine@example.com")
    send(operator, other_hotel, "email", "theirs@example.com")
    listed = page(operator, f"{LIST}?hotel__id__exact={hotel.pk}")
    assert "mine@example.com" in listed
    assert "theirs@example.com" not in listed


def test_it_speaks_spanish(operator: Client, hotel: Hotel) -> None:
    operator.cookies["django_language"] = "es"
    assert "Contactos de huéspedes" in page(operator, LIST)
    assert "Introduzca una dirección de correo" in send(operator, hotel, "email", "nobody").content.decode()


def test_a_hotels_manager_has_no_such_page(staff: Client) -> None:
    assert staff.get(LIST).status_code == 404
