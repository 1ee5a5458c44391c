"""Tests of the REST API of webhooks."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks.webhooks.services import create_webhook
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.locks.helpers import events_of
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/v1/webhooks/"


def test_webhook_can_be_created_tested_updated_and_deleted(
    api: APIClient, in_hotel: Hotel, receiver: Receiver
) -> None:
    created = api.post(WEBHOOKS, {"url": receiver.url, "events": ["hold.confirmed", "hold.expired"]})
    assert created.status_code == 201, created.json()
    hook = created.json()
    assert hook["secret"].startswith("whsec_")
    address = f"{WEBHOOKS}{hook['id']}/"
    assert "secret" not in api.get(address).json()
    tested = api.post(f"{address}test/").json()
    assert (tested["delivered"], tested["status_code"]) == (True, 204)
    [(headers, body)] = receiver.requests
    assert json.loads(body)["type"] == "webhook.test"
    assert verify(hook["secret"], headers, body)
    changed = api.patch(address, {"active": False, "events": ["hold.created"]}).json()
    assert (changed["active"], changed["events"]) == (False, ["hold.created"])
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    event_counts = [len(events_of(f"webhook.{what}")) for what in ("created", "tested", "updated", "deleted")]
    assert event_counts == [1, 1, 1, 1]
    [event] = events_of("webhook.created")
    assert event.data["host"] == "127.0.0.1"
    assert "tenant=1" not in str(event.fields)


def test_new_secret_is_returned_only_in_the_response_to_its_rotation(
    api: APIClient, in_hotel: Hotel, receiver: Receiver
) -> None:
    hook = api.post(WEBHOOKS, {"url": receiver.url, "events": ["hold.created"]}).json()
    address = f"{WEBHOOKS}{hook['id']}/"

    def rotate() -> Any:
        return api.post(
            f"{address}rotate-secret/", {"overlap_hours": 2}, headers={"Idempotency-Key": "rotate-1"}
        )

    rotated = rotate()
    assert rotated.status_code == 200, rotated.json()
    secret = rotated.json()["secret"]
    assert secret.startswith("whsec_")
    assert secret != hook["secret"]
    assert rotate().json()["secret"] == secret
    shown = api.get(address).json()
    assert shown["previous_secret_expires_at"] == rotated.json()["previous_secret_expires_at"]
    assert "secret" not in shown
    api.post(f"{address}test/")
    [(headers, body)] = receiver.requests
    assert verify(secret, headers, body)
    assert verify(hook["secret"], headers, body)
    [event] = events_of("webhook.secret_rotated")
    assert event.data["host"] == "127.0.0.1"
    assert secret not in str(event.fields)


@pytest.mark.parametrize("hours", [-1, 169, "a day"])
def test_rotate_secret_with_invalid_overlap_hours_returns_400(
    api: APIClient, in_hotel: Hotel, receiver: Receiver, hours: int | str
) -> None:
    hook = api.post(WEBHOOKS, {"url": receiver.url, "events": ["hold.created"]}).json()
    response = api.post(f"{WEBHOOKS}{hook['id']}/rotate-secret/", {"overlap_hours": hours})
    assert response.status_code == 400
    assert api.post(f"{WEBHOOKS}{UUID(int=1)}/rotate-secret/").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "https://pms.example.com/", "events": []}, 400),
        ({"url": "https://pms.example.com/", "events": ["guest.arrived"]}, 400),
        ({"url": "https://pms.example.com/", "events": ["hold.created"], "sekret": "x"}, 400),
        ({"url": "http://pms.example.com/", "events": ["hold.created"]}, 422),
        ({"url": "https://169.254.169.254/", "events": ["hold.created"]}, 422),
    ],
)
def test_create_with_an_invalid_url_or_event_is_refused(
    api: APIClient, settings: Any, body: dict[str, Any], status: int
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    assert api.post(WEBHOOKS, body).status_code == status


def test_create_with_an_api_key_without_the_webhooks_scope_returns_403(hotel: Hotel) -> None:
    with hotel_context(hotel):
        _, secret = api_keys.create(name="engine", scopes=["locks:write"])
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    response = client.post(WEBHOOKS, {"url": "https://pms.example.com/", "events": ["hold.created"]})
    assert (response.status_code, response.json()["required_scope"]) == (403, "webhooks:write")


def test_sending_a_test_event_to_a_webhook_of_another_hotel_returns_404(
    api: APIClient, other_hotel: Hotel, receiver: Receiver
) -> None:
    with hotel_context(other_hotel):
        theirs, _secret = create_webhook(url=receiver.url, event_types=["hold.created"])
    assert api.post(f"{WEBHOOKS}{theirs.id}/test/").status_code == 404
    assert receiver.requests == []


def test_openapi_description_of_a_hotel_contains_the_webhook_events(api: APIClient) -> None:
    document = Client(SERVER_NAME=ALPHA_HOST).get("/api/schema/?format=json").json()
    assert {"hold.created", "hold.expiring_soon", "stay.moved", "waiting_list.offered"} <= document[
        "webhooks"
    ].keys()
    operation = document["webhooks"]["hold.created"]["post"]
    assert "webhook-signature" in operation["description"]
    assert "webhooks" not in Client(SERVER_NAME="localhost").get("/api/schema/?format=json").json()
