"""Tests that every operation has an example, that examples match the OpenAPI schema, and that they are up to date."""

import json
import os
from datetime import date
from typing import Any

import jsonschema
import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.transparency.notes import PrivateKey
from hotelagent.rest.documentation.document import Host, openapi_document, operations_by_id
from hotelagent.rest.documentation.examples import FILE, recorded_examples
from locks.webhooks.event_types import WebhookEvent
from tenants.access import api_keys
from tenants.context import platform_context
from tenants.models import Hotel
from tenants.scopes import PLATFORM_SCOPES
from tests.dlq.external.clients import make_client
from tests.locks.receiver import Receiver
from tests.openapi.platform_story import tell_story_of_the_platform
from tests.openapi.recorder import Recorder
from tests.openapi.story import Story
from tests.usage.rows import add_usage
from tests.web import serving

#: Maps hosts and names of the tests to the hosts and names that the examples contain.
HOSTS = {
    "http://alpha.localhost": "https://sunrise.hotels.example",
    "alpha": "sunrise",
    "Alpha": "Sunrise",
    "localhost": "hotels.example",
    "127.0.0.1": "203.0.113.7",
}
RECORD = "RECORD_EXAMPLES"
HINT = (
    f"If the change is intended, run `{RECORD}=1 make test ARGS=tests/openapi/test_examples.py`, and then "
    "`manage.py write_openapi`."
)


def document_of(host: Host) -> dict[str, Any]:
    """Return the OpenAPI document that the repository contains. The first call in a process generates the document."""
    return openapi_document(host, server=host.example_server)


def validate(document: dict[str, Any], schema: Any, value: Any) -> None:
    """Raise ValidationError if the value does not match the schema of the document."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(value)


def shape(value: Any) -> Any:
    """Return the names and types in a JSON value. A list is reduced to the different shapes of its items."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    return type(value).__name__


def record_examples(hotel: Hotel, engine: APIClient, manager: Client) -> dict[str, Any]:
    """Send the example requests to a hotel and to the platform, and return the recorded examples."""
    with platform_context():
        add_usage(
            hotel, date(2031, 6, 30), reservations=14, stays=61, holds=38, reminders_sent=27, api_calls=5120,
            storage_bytes=5_242_880, staff=9,
        )  # fmt: skip
    of_hotel, of_platform = Recorder(document_of(Host.HOTEL)), Recorder(document_of(Host.PLATFORM))
    with serving(Receiver()) as receiver:
        of_hotel.replacements = {
            receiver.url: "https://pms.example.com/hooks",
            **HOSTS,
        }
        story = Story(
            recorder=of_hotel,
            hotel=hotel,
            engine=engine,
            handler=make_client(hotel, "dlq:read", "dlq:write", "dlq:work"),
            manager=manager,
            webhook_url=receiver.url,
            calendar_url="https://www.airbnb.com/calendar/ical/1.ics?s=7d1e",
        )
        story.tell()
    with platform_context():
        _key, text = api_keys.create(name="operations", scopes=PLATFORM_SCOPES)
    operator = APIClient(SERVER_NAME="localhost")
    operator.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    of_platform.replacements = HOSTS
    tell_story_of_the_platform(of_platform, operator, hotel)
    return {**of_platform.recorded(), **of_hotel.recorded()}


@pytest.mark.django_db(transaction=True)
def test_recorded_examples_are_what_a_running_hotel_sends(
    hotel: Hotel, api: APIClient, staff: Client, settings: Any
) -> None:
    settings.AUDIT_SIGNING_KEY = PrivateKey("localhost", bytes(range(32))).text
    examples = record_examples(hotel, api, staff)
    if os.environ.get(RECORD):
        FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n")
        recorded_examples.cache_clear()
    recorded = recorded_examples()
    changed = {name for name in examples | recorded if shape(examples.get(name)) != shape(recorded.get(name))}
    assert changed == set(), HINT


@pytest.mark.parametrize("host", Host)
def test_each_operation_has_an_example_of_its_request_and_of_its_response(host: Host) -> None:
    missing = []
    for name, (_method, _path, operation) in operations_by_id(document_of(host)).items():
        example = recorded_examples().get(name, {"parameters": {}, "responses": {}})
        if "requestBody" in operation and not example.get("request"):
            missing.append(f"{name}: no request: call it in tests/openapi/story.py")
        contents = [
            response["content"]
            for status, response in operation["responses"].items()
            if status.startswith("2") and "application/octet-stream" not in response.get("content", {"": {}})
            if "content" in response
        ]
        if contents and not example["responses"]:
            missing.append(f"{name}: no response: call it in tests/openapi/story.py")
        missing += [
            f"{name}: no value of the path parameter {parameter['name']}"
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "path" and parameter["name"] not in example["parameters"]
        ]
    assert missing == [], HINT


@pytest.mark.parametrize("host", Host)
def test_examples_match_the_schema_of_their_operation(host: Host) -> None:
    document = document_of(host)
    problems, count = [], 0
    for name, (_method, _path, operation) in operations_by_id(document).items():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (content for body in bodies for content in body.get("content", {}).values()):
            for example in content.get("examples", {}).values():
                count += 1
                try:
                    validate(document, content["schema"], example["value"])
                except jsonschema.ValidationError as error:
                    problems.append(f"{name}: {error.json_path}: {error.message}")
    assert count > 50
    assert problems == []


def test_example_of_each_webhook_event_matches_its_schema() -> None:
    document = document_of(Host.HOTEL)
    assert {event.value for event in WebhookEvent} < document["webhooks"].keys()
    for item in document["webhooks"].values():
        content = item["post"]["requestBody"]["content"]["application/json"]
        validate(document, content["schema"], content["example"])
        without_time = {name: value for name, value in content["example"].items() if name != "timestamp"}
        with pytest.raises(jsonschema.ValidationError):
            validate(document, content["schema"], without_time)
