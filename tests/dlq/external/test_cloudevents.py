"""Tests of failures that other systems report as CloudEvents."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from dlq.models import Attempt, Failure
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.external.clients import CLOUD_EVENT, ENTRIES, EVENT, KIND, claim, make_client, make_due

pytestmark = pytest.mark.django_db

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "rojo=00f067aa0ba902b7",
}


@pytest.fixture
def pms(hotel: Hotel) -> APIClient:
    """Return the API client of a PMS (hotel software), which reports and processes failures of the namespace `pms`."""
    return make_client(hotel)


def report(client: APIClient, content_type: str = CLOUD_EVENT, **changes: Any) -> Any:
    """Report the example event with these changes. The value `...` removes an attribute."""
    event = {name: value for name, value in {**EVENT, **changes}.items() if value is not ...}
    return client.post(ENTRIES, json.dumps(event), content_type=content_type)


def test_reported_event_is_stored_in_the_namespace_of_the_api_key(pms: APIClient) -> None:
    response = report(pms, errormessage="no answer for ana@guests.example.com", orderingkey="B-1")
    body = response.json()
    assert (response.status_code, body["status"], body["source"]) == (201, "scheduled", "pms")
    assert (body["name"], body["error_type"]) == (f"external:pms:{KIND}", "Timeout")
    assert "ana@" not in response.content.decode()


def test_handler_gets_the_reported_event_and_its_trace_unchanged(pms: APIClient, hotel: Hotel) -> None:
    event: dict[str, Any] = {
        "subject": "B-1042",
        "time": "2031-07-01T14:00:00.123456789+02:00",
        "datacontenttype": "application/json; charset=utf-8",
        "dataschema": "https://schemas.example.com/booking#/v1",
        "data": [None, {"amount": 12.5, "name": "Ana 🌊"}, 10**30],
        "sequence": 7,
        "sampled": True,
        **TRACE,
    }
    response = report(pms, **event, dropped=None, orderingkey="B-1042", retry=True)
    assert response.status_code == 201
    with hotel_context(hotel):
        make_due(response.json()["id"])
        assert Failure.objects.get().ordering_key == "external:pms:B-1042"
    [entry] = claim(pms)
    sent = {name: EVENT[name] for name in ("specversion", "id", "source", "type")}
    assert entry["payload"] == {**sent, **event}
    assert (entry["traceparent"], entry["tracestate"]) == (TRACE["traceparent"], TRACE["tracestate"])


@pytest.mark.parametrize(
    "data",
    [
        {"data": None},
        {"data": "<booking/>", "datacontenttype": "text/xml"},
        {"data": ...},
        {"data": ..., "data_base64": base64.b64encode(b"\xff\x00 not UTF-8").decode()},
        {"data": ..., "data_base64": ""},
    ],
)
def test_event_data_of_any_type_reaches_the_handler_unchanged(
    pms: APIClient, hotel: Hotel, data: dict[str, Any]
) -> None:
    response = report(pms, **data)
    with hotel_context(hotel):
        make_due(response.json()["id"])
    [entry] = claim(pms)
    expected = {name: value for name, value in {"data": EVENT["data"], **data}.items() if value is not ...}
    assert {name: entry["payload"][name] for name in entry["payload"] if name.startswith("data")} == expected


def test_event_data_that_jsonb_cannot_store_reaches_the_handler_unchanged(
    pms: APIClient, hotel: Hotel
) -> None:
    data = {"nul": "a\0b", "__type__": "uuid", "__value__": "x"}
    body = report(pms, data=data).json()
    assert body["status"] == "permanent"
    assert pms.post(f"{ENTRIES}{body['id']}/retry/").status_code == 202
    [entry] = claim(pms)
    assert entry["payload"]["data"] == data


def test_repeated_report_of_an_event_returns_the_failure_until_its_deletion(
    pms: APIClient, hotel: Hotel
) -> None:
    first = report(pms).json()
    again = report(pms, errormessage="another error")
    assert (again.status_code, again.json()["id"], again.json()["occurrences"]) == (200, first["id"], 1)
    pms.post(f"{ENTRIES}{first['id']}/discard/", {"reason": "done by phone"})
    closed = report(pms)
    assert (closed.status_code, closed.json()["id"], closed.json()["status"]) == (
        200,
        first["id"],
        "discarded",
    )
    with hotel_context(hotel):
        Failure.objects.update(
            payload={}
        )  # as the daily clean-up does some time after the failure was closed
    without_payload = report(pms)
    assert (without_payload.status_code, without_payload.json()["id"]) == (200, first["id"])
    with hotel_context(hotel):
        Attempt.objects.all().delete()
        Failure.objects.all().delete()
    assert report(pms).status_code == 201


@pytest.mark.parametrize(
    "change", [{"data": {"booking": "B-2"}}, {"type": "booking.cancelled"}, {"subject": "B-1"}, {"data": ...}]
)
def test_cloudevent_with_a_stored_source_and_id_but_different_content_returns_409(
    pms: APIClient, hotel: Hotel, change: dict[str, Any]
) -> None:
    first = report(pms).json()
    response = report(pms, **change)
    assert (response.status_code, response.json()["type"]) == (409, "/problems/event-conflict")
    assert response.json()["failure"] == first["id"]
    with hotel_context(hotel):
        assert Failure.objects.count() == 1


@pytest.mark.parametrize("change", [{"id": "43"}, {"source": "/pms/other"}])
def test_cloudevent_with_a_new_source_or_id_is_stored_as_a_new_failure(
    pms: APIClient, change: dict[str, str]
) -> None:
    assert report(pms).json()["id"] != report(pms, **change).json()["id"]


def test_api_keys_with_different_names_can_report_the_same_source_and_id(
    pms: APIClient, hotel: Hotel
) -> None:
    first = report(pms).json()
    assert report(make_client(hotel, name="crm"), data="other").status_code == 201
    assert report(make_client(hotel)).json()["id"] == first["id"]


@pytest.mark.django_db(transaction=True)
def test_event_reported_by_several_requests_at_the_same_time_is_stored_once(hotel: Hotel) -> None:
    client = make_client(hotel)

    def send(_number: int) -> tuple[int, str]:
        try:
            response = report(client)
            return response.status_code, response.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(send, range(8)))
    assert sorted(status for status, _id in results) == [200] * 7 + [201]
    assert len({failure_id for _status, failure_id in results}) == 1
    with hotel_context(hotel):
        assert Failure.objects.get().occurrences == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": ...}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"id": 42}, "/id"),
        ({"id": None}, "/id"),
        ({"source": "not a URI"}, "/source"),
        ({"type": ...}, "/type"),
        ({"type": "t" * 81}, "/type"),
        ({"subject": ""}, "/subject"),
        ({"time": "2031-07-01T14:00:00"}, "/time"),
        ({"time": "2031-02-30T14:00:00Z"}, "/time"),
        ({"time": 1}, "/time"),
        ({"datacontenttype": "json"}, "/datacontenttype"),
        ({"dataschema": "a b"}, "/dataschema"),
        ({"data": ..., "data_base64": "***"}, "/data_base64"),
        ({"data": ..., "data_base64": "é"}, "/data_base64"),
        ({"data_base64": "AA=="}, ""),
        ({"errortype": ...}, "/errortype"),
        ({"errormessage": 1}, "/errormessage"),
        ({"retry": "maybe"}, "/retry"),
        ({"traceparent": 1}, "/traceparent"),
        ({"orderingkey": "k" * 101}, "/orderingkey"),
        ({"my_extension": "x"}, "/my_extension"),
        ({"extension": {"nested": 1}}, "/extension"),
        ({"extension": 1.5}, "/extension"),
        ({"extension": 2**31}, "/extension"),
    ],
)
def test_event_that_breaks_the_specification_returns_400_and_names_the_attribute(
    pms: APIClient, change: dict[str, Any], pointer: str
) -> None:
    response = report(pms, **change)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid")
    assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7", "{}"])
def test_event_that_is_not_an_object_with_attributes_returns_400(pms: APIClient, body: str) -> None:
    assert pms.post(ENTRIES, body, content_type=CLOUD_EVENT).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"data": {"a": 1, "a": 2}}', 400),
        (b'{"data": 1e400}', 400),
        (b'{"data": "\xff"}', 400),
        (b'{"data": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b'{"data": "%s"}' % (b"a" * 10_000_000), 413),
    ],
)
def test_cloudevent_or_json_report_that_cannot_be_stored_exactly_is_refused(
    pms: APIClient, hotel: Hotel, body: bytes, status: int
) -> None:
    for content_type in (CLOUD_EVENT, "application/json"):
        response = pms.post(ENTRIES, body, content_type=content_type)
        assert response.status_code == status
        assert response.json()["detail"]
    with hotel_context(hotel):
        assert not Failure.objects.exists()


def test_media_type_may_have_parameters_and_capital_letters(pms: APIClient) -> None:
    assert report(pms, content_type="Application/CloudEvents+JSON; charset=UTF-8").status_code == 201


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("application/cloudevents-batch+json", {}),
        ("application/cloudevents+avro", {}),
        ("application/json", {"ce-specversion": "1.0", "ce-id": "42"}),
    ],
)
def test_cloudevents_in_batch_or_binary_mode_return_415_with_the_accepted_form(
    pms: APIClient, content_type: str, headers: dict[str, str]
) -> None:
    response = pms.post(ENTRIES, json.dumps([EVENT]), content_type=content_type, headers=headers)
    assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert "application/cloudevents+json" in response.json()["detail"]


def test_cloudevent_is_rejected_by_endpoints_other_than_the_report_endpoint(pms: APIClient) -> None:
    body = report(pms).json()
    url = f"{ENTRIES}{body['id']}/discard/"
    assert pms.post(url, json.dumps({"reason": "x"}), content_type=CLOUD_EVENT).status_code == 415
