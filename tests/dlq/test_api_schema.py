"""Test that the REST API of failures behaves as its OpenAPI schema says, with requests that Schemathesis generates."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as hypothesis_settings
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


@pytest.fixture
def headers(hotel: Hotel, lamp: Lamp) -> dict[str, str]:
    """The headers with the API key of a hotel that has failures, groups and a redrive."""
    with hotel_context(hotel):
        for number, retry in enumerate((True, False, True, False)):
            capture_failure(message=f"no current in lamp {'abcd'[number]}", retry=retry, number=number)
        redrives.start(selection=FailureSelection(name="unknown"), options=RedriveOptions())
        _key, text = api_keys.create(name="pms", scopes=list(SCOPES))
    return {"Host": ALPHA_HOST, "Authorization": f"Bearer {text}"}


@hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=strategies.data())
def _send_requests(
    data: strategies.DataObject, operation: Any, mode: GenerationMode, headers: dict[str, str]
) -> None:
    """Send generated requests of an operation, and check each response with the checks of Schemathesis.

    The check that valid requests are accepted is left out, because a schema does not contain all rules. For example, a
    cursor must come from a response.
    """
    case = data.draw(operation.as_strategy(generation_mode=mode))
    case.cookies.clear()  # the requests have an API key and no session
    case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("mode", GenerationMode)
def test_operations_behave_as_the_openapi_schema_says(headers: dict[str, str], mode: GenerationMode) -> None:
    config = SchemathesisConfig(seed=1)
    api = schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", application, headers=headers, config=config
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
            _send_requests(operation=operation, mode=mode, headers=headers)
        except FailureGroup as problem:
            problems.append(f"{operation.label}: {problem}")
    assert not problems, "\n\n".join(problems)
