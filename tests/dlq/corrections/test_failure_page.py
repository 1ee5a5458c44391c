"""Tests of the admin page of a failure: who sees which data, and the form that corrects the data."""

import datetime
import json
import uuid
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from audit.reading.search import timeline
from dlq import services
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure, FailureStatus
from dlq.payloads import restore
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, reload

pytestmark = pytest.mark.django_db

SCHEMA = {
    "type": "object",
    "required": ["to", "stay"],
    "properties": {
        "lamp": {"type": "integer", "minimum": 1},
        "id": {"type": "integer", "readOnly": True},
        "to": {"type": "string", "format": "email", "title": "Address", "description": "Who gets it."},
        "language": {"enum": ["en", "es", "pt"]},
        "paid": {"type": "boolean"},
        "note": {"type": ["string", "null"], "maxLength": 20},
        "extras": {"type": "array", "items": {"type": "string"}},
        "stay": {
            "type": "object",
            "required": ["arrival"],
            "properties": {
                "arrival": {"type": "string", "format": "date"},
                "price": {"type": "number"},
                "guest": {"$ref": "#/$defs/guest"},
            },
        },
        "card": {"type": "string"},
    },
    "$defs": {"guest": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
PAYLOAD: dict[str, Any] = {
    "to": "ana@guests.exmaple.com",
    "language": "en",
    "paid": True,
    "extras": ["sea view"],
    "stay": {"arrival": "2031-07-01", "price": 90.5, "guest": {"name": "Ana <Lima>"}},
    "card": "4111",
    "undeclared": {"kept": [1, 2.5, None]},
}


@pytest.fixture
def failure(hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> Failure:
    kind = Kind(
        name=NAME,
        handler=lamp.handle,
        schema=SCHEMA,
        personal_fields=("to", "stay.guest"),
        secret_fields=("card",),
    )
    monkeypatch.setitem(registry._kinds, NAME, kind)
    with hotel_context(hotel):
        return capture_failure(retry=False, **PAYLOAD)


@pytest.fixture
def as_role(hotel: Hotel) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        client = Client(SERVER_NAME="alpha.localhost")
        with hotel_context(hotel):
            client.force_login(User.objects.create_user(username=role, password=None, role=role))
        return client

    return log_in


def url_of(failure: Failure, page: str = "change/") -> str:
    return f"/admin/dlq/failure/{failure.id}/{page}"


def page_of(client: Client, failure: Failure) -> str:
    response = client.get(url_of(failure))
    assert response.status_code == 200
    return unescape(response.content.decode())


def form_data(client: Client, failure: Failure) -> dict[str, Any]:
    """Return what a browser sends if a person changes nothing in the correction form."""
    form = client.get(url_of(failure)).context["correction_form"]
    return {name: form[name].value() for name in form.fields if form[name].value() is not None}


def correct(client: Client, failure: Failure, **changes: Any) -> Any:
    data = form_data(client, failure)
    data |= {name if name == "version" else f"payload.{name}": value for name, value in changes.items()}
    return client.post(url_of(failure, "correct/"), data, follow=True)


def views(hotel: Hotel, failure: Failure) -> int:
    with hotel_context(hotel):
        return timeline(kind="failure", identifier=failure.id).filter(event="failure.payload_viewed").count()


def payload_of(hotel: Hotel, failure: Failure) -> Any:
    with hotel_context(hotel):
        return restore(reload(failure))


def test_manager_sees_the_data_without_secrets_and_a_view_is_audited_once_per_person(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    page_of(staff, failure)
    page = page_of(staff, failure)
    assert views(hotel, failure) == 1
    colleague = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        user = User.objects.create_user(username="eva", password=None, role=Role.MANAGER)
        colleague.force_login(user)
    page_of(colleague, failure)
    assert views(hotel, failure) == 2
    with hotel_context(hotel):
        other = capture_failure(retry=False, **{**PAYLOAD, "language": "es"})
    page_of(staff, other)
    assert views(hotel, other) == 1
    assert "ana@guests.exmaple.com" in page
    assert "Ana &lt;Lima&gt;" in staff.get(url_of(failure)).content.decode()
    assert "4111" not in page


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.AUDITOR])
def test_staff_without_the_permission_see_masked_data_and_no_form(
    hotel: Hotel, failure: Failure, as_role: Callable[[str], Client], role: str
) -> None:
    client = as_role(role)
    page = page_of(client, failure)
    assert "2031-07-01" in page
    assert "Values that may be personal are hidden" in page
    for hidden in ("ana@", "Ana <Lima>", "4111", "Correct and retry"):
        assert hidden not in page
    assert client.post(url_of(failure, "correct/"), {"version": "*"}).status_code == 403
    assert "ana@" not in client.get(url_of(failure, "payload.json")).content.decode()
    assert views(hotel, failure) == 0


def test_correction_form_changes_only_the_fields_that_the_person_edited(
    staff: Client, hotel: Hotel, lamp: Lamp, failure: Failure
) -> None:
    changes = {"to": "ana@guests.example.com", "language": '"es"', "paid": "false", "stay.price": "80"}
    page = correct(staff, failure, **changes).content.decode()
    assert "The corrected data were saved" in page
    expected = {
        "lamp": 1,
        **PAYLOAD,
        "to": "ana@guests.example.com",
        "language": "es",
        "paid": False,
        "stay": {**PAYLOAD["stay"], "price": 80.0},
    }
    assert payload_of(hotel, failure) == expected
    with hotel_context(hotel):
        assert reload(failure).status == FailureStatus.SCHEDULED
    assert "<del>ana@guests.exmaple.com</del>" in page
    assert "<ins>ana@guests.example.com</ins>" in page


def test_correction_form_has_the_titles_limits_and_choices_of_the_schema(
    staff: Client, failure: Failure
) -> None:
    form = staff.get(url_of(failure)).context["correction_form"]
    fields = form.fields
    assert (fields["payload.to"].label, fields["payload.to"].help_text) == ("Address", "Who gets it.")
    assert fields["payload.to"].required
    assert "payload.id" not in fields
    assert fields["payload.stay.arrival"].widget.input_type == "date"
    assert [value for value, _label in fields["payload.language"].choices] == ["", '"en"', '"es"', '"pt"']
    assert fields["payload.note"].max_length == 20
    assert json.loads(form["payload.extras"].value()) == ["sea view"]
    assert [title for title, _fields in form.groups] == ["", "stay", "stay / guest"]
    assert form["payload.card"].value() == ""


def test_correction_form_removes_empty_optional_values_and_edits_lists_as_json(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    correct(staff, failure, language="", note="late", extras='["sea view", "cot"]')
    payload = payload_of(hotel, failure)
    assert "language" not in payload
    assert (payload["note"], payload["extras"], payload["card"]) == ("late", ["sea view", "cot"], "4111")
    correct(staff, failure, note="", card="4222")
    assert (payload_of(hotel, failure)["note"], payload_of(hotel, failure)["card"]) == (None, "4222")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("to", "", "This field is required."),
        ("lamp", "0", "greater than or equal to 1"),
        ("lamp", "one", "Enter a whole number."),
        ("to", "nobody", "The value must have the format email."),
        ("stay.arrival", "1 July", "The value must have the format date."),
        ("extras", "[1]", "The value must have the type string."),
        ("extras", "[", "Enter a valid JSON."),
        ("extras", "[" * 5000, "The JSON is nested too deeply. Use fewer levels of objects and lists."),
        ("language", '"fr"', "Select a valid choice."),
    ],
)
def test_correction_form_with_a_wrong_value_shows_the_reason_and_saves_nothing(
    staff: Client, failure: Failure, field: str, value: str, message: str
) -> None:
    response = correct(staff, failure, **{field: value})
    assert message in unescape(response.content.decode())
    assert "Attempts" in response.content.decode()
    assert form_data(staff, failure)["version"] == failure.version


def test_outdated_correction_form_saves_nothing_and_shows_the_current_data(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    old = form_data(staff, failure)["version"]
    correct(staff, failure, note="mine")
    page = correct(staff, failure, version=old, note="theirs").content.decode()
    assert "was corrected, retried or discarded in the meantime" in page
    assert payload_of(hotel, failure)["note"] == "mine"
    assert "<ins>mine</ins>" in page


def test_payload_without_a_schema_is_edited_as_json(staff: Client, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure(retry=False, room="1")
    data = form_data(staff, failure)
    staff.post(url_of(failure, "correct/"), {**data, "payload": json.dumps({"lamp": 2})})
    assert payload_of(hotel, failure) == {"lamp": 2}


def test_date_and_uuid_in_a_payload_keep_their_type_after_a_correction(
    staff: Client, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"properties": {"day": {"type": "string", "format": "date"}, "number": {"type": "string"}}}
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle, schema=schema))
    day, number = datetime.date(2031, 7, 1), uuid.uuid4()
    with hotel_context(hotel):
        failure = capture_failure(retry=False, day=day, number=number)
    correct(staff, failure, day="2031-07-02")
    assert payload_of(hotel, failure) == {"lamp": 1, "day": datetime.date(2031, 7, 2), "number": number}


def nested(levels: int) -> Any:
    value: Any = "end"
    for _level in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "x" * 10_000_000},
        {f"field {number}": "x" * 500 for number in range(20_000)},
        {"deep": nested(1000)},
        {"deep": nested(430)},
        {"deep": nested(200)},
        {},
    ],
    ids=["10 MB text", "10 MB of fields", "1000 levels", "430 levels", "200 levels", "empty"],
)
def test_failure_page_shows_only_a_part_of_very_large_payloads(
    staff: Client, hotel: Hotel, lamp: Lamp, as_role: Callable[[str], Client], payload: dict[str, Any]
) -> None:
    with hotel_context(hotel):
        captured = services.capture(
            is_task=False, source="tests", name=NAME, payload=payload, error=LampError("dark"), retry=False
        )
        failure = Failure.objects.get(id=captured.id)
    for client in (staff, as_role(Role.AUDITOR)):
        page = page_of(client, failure)
        assert len(page) < 1_000_000
        assert client.get(url_of(failure, "payload.json")).status_code == 200


def test_failure_page_offers_the_actions_that_the_status_allows(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    for status, text, may_act in (
        (FailureStatus.PERMANENT, "The failure is not retried automatically", True),
        (FailureStatus.IN_DOUBT, "It is unknown whether the work was done", True),
        (FailureStatus.RETRYING, "The failure is being retried now", False),
        (FailureStatus.RESOLVED, "The work succeeded", False),
        (FailureStatus.DISCARDED, "The failure was discarded", False),
    ):
        with hotel_context(hotel):
            Failure.objects.filter(id=failure.id).update(status=status)
        page = page_of(staff, failure)
        assert text in page
        assert ("Correct and retry" in page, 'value="discard"' in page) == (may_act, may_act)


def test_failure_page_says_that_no_api_key_can_process_an_external_failure(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    with hotel_context(hotel):
        Failure.objects.filter(id=failure.id).update(name="external:pms:booking.created", source="pms")
    page = page_of(staff, failure)
    assert "was reported by pms. Send it again from pms, and then discard the failure here." in page
    assert "When the cause is fixed, retry the failure." not in page
    with hotel_context(hotel):
        api_keys.create(name="pms", scopes=["dlq:work"])
    assert "When the cause is fixed, retry the failure." in page_of(staff, failure)


def test_failure_page_of_an_unknown_failure_returns_404(staff: Client, failure: Failure) -> None:
    for page in ("correct/", "payload.json"):
        assert staff.get(f"/admin/dlq/failure/{uuid.uuid4()}/{page}").status_code == 404


def test_platform_staff_see_and_correct_failures_of_the_platform(platform: None, lamp: Lamp) -> None:
    failure = capture_failure(retry=False, room="1")
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_user(username="operator", password=None, role=Role.PLATFORM))
    data = form_data(client, failure)
    client.post(url_of(failure, "correct/"), {**data, "payload": json.dumps({"lamp": 2})})
    assert restore(reload(failure)) == {"lamp": 2}
    assert "The corrected data were saved" in page_of(client, failure)
