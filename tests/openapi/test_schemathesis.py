"""Tests that the REST API of a hotel behaves as its OpenAPI document says, with requests that Schemathesis generates.

The requests are about the objects of the story in the documentation, so they reach the rules of the hotel. Each request
is rolled back, so it cannot delete what the next one needs.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, Verbosity, given, strategies
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from audit.services import record
from audit.transparency.notes import PrivateKey
from hotelagent.rest.documentation.document import Host, openapi_document
from hotelagent.wsgi import application
from locks.services import acquisition
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.dlq.external.clients import make_client
from tests.openapi.recorder import Recorder
from tests.openapi.request_checks import ALLOWED_STATUSES, checks_to_exclude
from tests.openapi.story import Story

pytestmark = pytest.mark.django_db(transaction=True)

#: Number of requests that are generated for each operation and mode.
EXAMPLES = 2
#: Paths whose operations need a request to another server.
WITHOUT_REQUESTS = ("/api/v1/webhooks/{id}/test/",)


@dataclass
class Target:
    """A hotel after the story, and the path parameters and bodies that make a request about an object of the story."""

    headers: dict[str, str]
    parameters: dict[str, dict[str, Any]]
    proof: dict[str, Any]
    statuses: Counter[tuple[GenerationMode, int]] = field(default_factory=Counter)
    checked_credentials: set[str] = field(default_factory=set)

    def parameters_of(self, path: str) -> dict[str, Any]:
        found = [known for start, known in self.parameters.items() if path.startswith(start)]
        return found[0] if found else {}

    def take_statuses(self) -> str:
        """Return the number of responses by status, and begin to count again."""
        total = self.statuses.total()
        not_found = sum(count for (_mode, status), count in self.statuses.items() if status == 404)
        assert total > 50
        assert not_found / total < 0.05
        text = ", ".join(f"{mode.value} {status}: {count}" for (mode, status), count in self.statuses.items())
        self.statuses.clear()
        return f"{total} ({text})"


@pytest.fixture
def target(
    hotel: Hotel, api: APIClient, staff: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Target:
    settings.AUDIT_SIGNING_KEY = PrivateKey("localhost", bytes(range(32))).text
    rates = {"client": "100000/min", "anonymous": "100000/min"}  # requests without a key are tested, too
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)
    monkeypatch.setattr(acquisition, "record_in_own_transaction", record)
    document = openapi_document(Host.HOTEL, server=Host.HOTEL.example_server)
    story = Story(
        recorder=Recorder(document),
        hotel=hotel,
        engine=api,
        handler=make_client(hotel, "dlq:read", "dlq:write", "dlq:work"),
        manager=staff,
        webhook_url="https://203.0.113.7/hooks",
        calendar_url="https://www.airbnb.com/calendar/ical/1.ics",
    )
    story.tell()
    nights = {"check_in": "2031-12-01", "check_out": "2031-12-03"}
    hold = story.call("createHold", 201, body={**nights, "room": story.room})
    closure = story.call("closeRoom", 201, body={**nights, "room": story.room + 1, "reason": "New bathroom"})
    entry = story.call("joinWaitingList", 201, body={**nights, "room": story.room})
    hook = story.call("createWebhook", 201, body={"url": story.webhook_url, "events": ["hold.expired"]})
    link = {"room": story.room + 2, "name": "Airbnb", "url": story.calendar_url}
    failure = story.report("B-2001", retry=False)
    rate = {"room_type": "double", "first_night": "2032-01-01", "last_night": "2032-01-31", "price": "90.00"}
    rate_id = story.call("createRate", 201, client=story.manager, body=rate)["id"]
    booking = {"id": "5b1c2f1e-64a5-4c1b-9f0e-2f5d1c3b8a91"}
    stay = {"check_in": "2032-01-10", "check_out": "2032-01-12"}
    body = {**stay, "room_type": "double", "guest": {"name": "Eva Sol", "email": "eva@example.com"}}
    story.call("makeBooking", 201, path=booking, body=body)
    first = {
        name: story.call(name)["results"][0]
        for name in ("listEvents", "listFailureGroups", "listRedrives", "listReminders", "listImports")
    }
    parameters = {
        "/api/v1/audit/log/{": {"tile_path": story.tile_path},
        "/api/v1/audit/{event_id}": {"event_id": story.sealed_event},
        "/api/v1/audit/{": {"id": first["listEvents"]["id"]},
        "/api/v1/calendars/{": {"id": story.call("linkCalendar", 201, body=link)["id"]},
        "/api/v1/dlq/entries/{": failure,
        "/api/v1/dlq/groups/{": {"fingerprint": first["listFailureGroups"]["fingerprint"]},
        "/api/v1/dlq/redrives/{": {"id": first["listRedrives"]["id"]},
        "/api/v1/imports/{": {"id": first["listImports"]["id"]},
        "/api/v1/locks/{id}/reopen/": {"id": closure["id"]},
        "/api/v1/locks/{": {"id": hold["id"]},
        "/api/v1/pms/bookings/{": booking,
        "/api/v1/pms/rates/{": {"id": rate_id},
        "/api/v1/reminders/{": {"id": first["listReminders"]["id"]},
        "/api/v1/reservations/by-external-id/{": {"external_id": "WEB-1042"},
        "/api/v1/reservations/{": story.reservation,
        "/api/v1/rooms/{": {"id": story.room},
        "/api/v1/waiting-list/{": {"id": entry["id"]},
        "/api/v1/webhooks/{": {"id": hook["id"]},
    }
    credentials = api._credentials  # type: ignore[attr-defined]
    headers = {"Authorization": credentials["HTTP_AUTHORIZATION"]}
    proof = {"token": hold["token"], "fencing_token": hold["fencing_token"]}
    return Target(headers, parameters, proof)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo the changes of the requests in the block. The requests use the connection of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


SETTINGS = hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)


@SETTINGS
@given(data=strategies.data())
def _send_requests(data: strategies.DataObject, operation: Any, mode: GenerationMode, target: Target) -> None:
    """Send generated requests of an operation, and check each response with the checks of Schemathesis."""
    case = data.draw(operation.as_strategy(generation_mode=mode))
    case.cookies.clear()  # the requests have an API key and no session
    if known := target.parameters_of(operation.path):
        case.path_parameters.update(known)
    if mode is GenerationMode.POSITIVE:
        case.query.pop("cursor", None)  # a cursor comes from a response
        if isinstance(case.body, dict):
            case.body.update({name: value for name, value in target.proof.items() if name in case.body})
    with rolled_back():
        response = case.call(headers=target.headers)
    target.statuses[mode, response.status_code] += 1
    excluded = checks_to_exclude(case, response, target.checked_credentials)
    case.validate_response(response, headers=target.headers, excluded_checks=excluded)


def application_of_hotel(environ: dict[str, Any], start_response: Any) -> Any:
    """Call the WSGI application for the host of the hotel, also if Schemathesis sends a request without headers.

    Schemathesis asks for compressed responses, but does not decompress the responses of a WSGI application.
    """
    return application(
        {**environ, "HTTP_HOST": ALPHA_HOST, "HTTP_ACCEPT_ENCODING": "identity"}, start_response
    )


def load() -> Any:
    url = "/api/schema/?format=json"
    config = SchemathesisConfig.from_dict(
        {"seed": 1, "checks": {"positive_data_acceptance": {"expected-statuses": ALLOWED_STATUSES}}}
    )
    return schemathesis.openapi.from_wsgi(url, application_of_hotel, config=config)


@pytest.mark.timeout(300)
def test_operations_and_sequences_of_them_behave_as_the_openapi_document_says(target: Target) -> None:
    """One test for both, because the story takes as long as the requests."""
    document = load()
    problems = send_single_requests(document, target)
    # pytest shows the numbers with the option -rP.
    sys.stdout.write(f"single requests: {target.take_statuses()}\n")
    assert not problems, "\n\n".join(problems)[:20_000]
    send_sequences(document, target)
    sys.stdout.write(f"requests in sequences: {target.take_statuses()}\n")


def send_single_requests(document: Any, target: Target) -> list[str]:
    """Send valid and invalid requests of each operation, and return what the checks have found."""
    found = [result.ok() for result in document.get_all_operations()]
    operations = [operation for operation in found if operation.path not in WITHOUT_REQUESTS]
    assert len(operations) > 80
    problems = []
    for mode in GenerationMode:
        for operation in operations:
            if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                # The path and the credentials are replaced, so no generated request would be invalid.
                continue
            try:
                _send_requests(operation=operation, mode=mode, target=target)
            except FailureGroup as problem:
                problems.append(f"{mode.value} {operation.label}: {problem}")
    return problems


def send_sequences(document: Any, target: Target) -> None:
    """Send sequences of linked operations. Raises the error of the first check that fails."""

    class Workflow(document.as_state_machine()):  # type: ignore[misc]
        """Sequences of operations, each of which uses ids in earlier responses."""

        def setup(self) -> None:
            self.seen = ""
            self.undo = rolled_back()
            self.undo.__enter__()

        def teardown(self) -> None:
            self.undo.__exit__(None, None, None)

        def before_call(self, case: Any) -> None:
            """Replace ids that are not in an earlier response. Schemathesis begins some sequences with such an id."""
            if any(str(value) not in self.seen for value in case.path_parameters.values()):
                case.path_parameters.update(target.parameters_of(case.operation.path))

        def after_call(self, response: Any, case: Any) -> None:
            self.seen += response.text

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            case.cookies.clear()
            return {"headers": target.headers}

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            target.statuses[GenerationMode.POSITIVE, response.status_code] += 1
            # Some values, such as cursors, come from other responses, and the test replaces invalid credentials.
            excluded = [ignored_auth, positive_data_acceptance, negative_data_rejection]
            case.validate_response(response, headers=target.headers, excluded_checks=excluded)

    run_state_machine_as_test(
        Workflow, settings=hypothesis_settings(SETTINGS, max_examples=20, stateful_step_count=6)
    )
