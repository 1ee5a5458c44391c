"""The rules by which the tests apply the checks of Schemathesis to a request and its response."""

from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

#: Media types of bodies that are texts. Schemathesis knows no JSON Lines.
JSON_LINES = ["application/jsonl", "application/x-ndjson"]
TEXT_TYPES = {*JSON_LINES, "text/calendar"}
schemathesis.serializer.alias(JSON_LINES, "text/plain")
#: Statuses that the check `positive_data_acceptance` allows besides 2xx: the client has the current version (304), the
#: credentials, the object or its version do not allow the request (401 to 412), or the request is well formed and
#: breaks a rule of the hotel (422).
ALLOWED_STATUSES = ["2xx", "304", "401", "403", "404", "409", "412", "422"]
#: The only errors 400 that a request may get if it follows the schema. These rules compare fields with each other or
#: with a time, so a schema cannot contain them, or they apply to every text.
UNDOCUMENTED_RULES = {
    "Arrival must be between the years 1970 and 2199.",
    "Departure must be after arrival.",
    "Null characters are not allowed.",
    "Provide either `room` or `room_type`.",
    "Provide exactly one of `room`, `rooms` and `room_type`.",
    "The last night must not be before the first night.",
}


def checks_to_exclude(case: Any, response: Any, checked_credentials: set[str]) -> list[Any]:
    """Return the checks that do not apply to a request, because the test has changed the request, or by its error.

    The check `ignored_auth` sends three requests, so it is done once for each operation.
    `checked_credentials` contains the operations for which it was done.
    """
    excluded = []
    if case.operation.label in checked_credentials:
        excluded.append(ignored_auth)
    elif response.status_code < 300:
        checked_credentials.add(case.operation.label)
    if not _is_invalid_as_sent(case):
        excluded.append(negative_data_rejection)
    if response.status_code == 400 and _error_details(response) <= UNDOCUMENTED_RULES:
        excluded.append(positive_data_acceptance)
    return excluded


def _is_invalid_as_sent(case: Any) -> bool:
    """Return whether the query or the body is invalid in the request that was sent.

    The test replaces the ids in the path and the credentials. A query value that is an object may be lost in the URL.
    """
    components = case.meta.components if case.meta else {}
    invalid = {place for place, component in components.items() if component.mode is GenerationMode.NEGATIVE}
    if ParameterLocation.QUERY in invalid and not any(
        isinstance(value, dict | list) for value in case.query.values()
    ):
        return True
    # A number in a text is a text too.
    return ParameterLocation.BODY in invalid and case.media_type not in TEXT_TYPES


def _error_details(response: Any) -> set[str]:
    return {error["detail"] for error in response.json().get("errors", [{"detail": "no errors"}])}
