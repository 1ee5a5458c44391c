"""API clients of other systems that report and process failures."""

import uuid
from typing import Any

from django.db.models import F
from rest_framework.test import APIClient

from dlq.models import Failure
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel

ENTRIES = "/api/v1/dlq/entries/"
KIND = "booking.created"
REPORT: dict[str, Any] = {
    "name": KIND,
    "payload": {"booking": "B-1"},
    "error_type": "Timeout",
    "error_message": "the PMS did not answer",
}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "42",
    "source": "/pms/gateway",
    "type": KIND,
    "data": {"booking": "B-1"},
    "errortype": "Timeout",
    "errormessage": "the PMS did not answer",
}
CLOUD_EVENT = "application/cloudevents+json"


def make_client(hotel: Hotel, *scopes: str, name: str = "pms") -> APIClient:
    """Return a client of the hotel's API whose API key has this name and these scopes.

    Without scopes, the key has all scopes that reporting, listing and processing failures require.
    """
    with hotel_context(hotel):
        _key, text = api_keys.create(name=name, scopes=scopes or ("dlq:read", "dlq:write", "dlq:work"))
    client = APIClient(SERVER_NAME=f"{hotel.slug}.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def make_due(failure_id: str) -> None:
    """Set the failure's next retry to a time in the past, so that it can be claimed now."""
    updated = Failure.objects.filter(id=failure_id, status="scheduled").update(next_retry_at=F("created_at"))
    assert updated == 1


def expire_lease(failure_id: str) -> None:
    """Set the end of the lease to a time in the past."""
    updated = Failure.objects.filter(id=failure_id, status="retrying").update(claimed_until=F("created_at"))
    assert updated == 1


def report_due(client: APIClient, hotel: Hotel, **changes: Any) -> str:
    """Report a failure that can be claimed now, and return its id."""
    payload = {"booking": str(uuid.uuid4())}
    response = client.post(ENTRIES, {**REPORT, "payload": payload, **changes})
    assert response.status_code == 201, response.content
    failure_id: str = response.json()["id"]
    with hotel_context(hotel):
        make_due(failure_id)
    return failure_id


def claim(client: APIClient, **changes: Any) -> list[dict[str, Any]]:
    """Claim failures of this kind and return them."""
    response = client.post(f"{ENTRIES}claim/", {"kinds": [KIND], "limit": 10, **changes})
    assert response.status_code == 200, response.content
    entries: list[dict[str, Any]] = response.json()["entries"]
    return entries
