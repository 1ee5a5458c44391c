"""Test that the REST API of failures behaves as its OpenAPI schema says, with requests that Schemathesis generates."""

from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as hypothesis_settings
from rest_framework.settings import api_settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from dlq.redrives import services as redrives
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from hotelagent.wsgi import application
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = pytest.mark.django_db(transaction=True)

SCOPES = ("dlq:read", "dlq:write", "dlq:payload", "dlq:work")
#: Number of requests that are generated for each operation.
EXAMPLES = 2


@dataclass(frozen=True)
class Target:
    """A hotel with two failures, a group and a redrive job. Valid requests are about these objects.

    `headers` contains an API key, and `identifiers` maps the beginning of a path to the path parameters after it.
    """

    headers: dict[str, str]
    identifiers: dict[str, dict[str, str]]

    def identifiers_in(self, path: str) -> dict[str, str]:
        return next((known for start, known in self.identifiers.items() if path.startswith(start)), {})


@pytest.fixture
def target(hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> Target:
    rates = {
        "client": "100000/min",
        "anonymous": "100000/min",
    }  # Schemathesis tests requests without a key, too
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)
    with hotel_context(hotel):
        failure, _other = (capture_failure(retry=False, number=number) for number in range(2))
        redrive = redrives.start(selection=FailureSelection(name="unknown"), options=RedriveOptions())
        _key, text = api_keys.create(name="pms", scopes=list(SCOPES))
    identifiers = {
        "/api/v1/dlq/entries/{": {"id": str(failure.id)},
        "/api/v1/dlq/groups/{": {"fingerprint": failure.fingerprint},
        "/api/v1/dlq/redrives/{": {"id": str(redrive.id)},
    }
    return Target({"Host": ALPHA_HOST, "Authorization": f"Bearer {text}"}, identifiers)


@hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=strategies.data())
def _send_requests(data: strategies.DataObject, operation: Any, mode: GenerationMode, target: Target) -> None:
    """Send generated requests of an operation, and check each response with the checks of Schemathesis.

    The check that valid requests are accepted is left out, because a schema does not contain all rules. For example, a
    cursor must come from a response.
    """
    case = data.draw(operation.as_strategy(generation_mode=mode))
    case.cookies.clear()  # the requests have an API key and no session
    if mode is GenerationMode.POSITIVE:
        case.path_parameters.update(target.identifiers_in(operation.path))
    case.call_and_validate(headers=target.headers, excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("mode", GenerationMode)
def test_operations_behave_as_the_openapi_schema_says(target: Target, mode: GenerationMode) -> None:
    config = SchemathesisConfig(seed=1)
    api = schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", application, headers=target.headers, config=config
    )
    failures: Any = api.include(path_regex="^/api/v1/dlq/")
    operations = [result.ok() for result in failures.get_all_operations()]
    assert len(operations) > 20
    if mode is GenerationMode.NEGATIVE:
        # Schemathesis needs seconds to generate an invalid request for an operation that has only a path.
        operations = [operation for operation in operations if operation.body]
    problems = []
    for operation in operations:
        try:
            _send_requests(operation=operation, mode=mode, target=target)
        except FailureGroup as problem:
            problems.append(f"{operation.label}: {problem}")
    assert not problems, "\n\n".join(problems)
