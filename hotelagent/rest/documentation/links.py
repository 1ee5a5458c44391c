"""The links in the OpenAPI documents: which operations accept the id in a response, and where the id is."""

import re
from typing import Any

_FIRST_RESULT = "$response.body#/results/0/"
_BODY = "$response.body#/"
#: Links that do not follow from the paths: the operation and status of the response, the operation that accepts its
#: values, the parameters, and the request body.
_FURTHER: tuple[tuple[str, str, str, dict[str, str], dict[str, str]], ...] = (
    ("listEvents", "200", "getEventProof", {"event_id": f"{_FIRST_RESULT}id"}, {}),
    ("closeRoom", "201", "reopenRoom", {"id": f"{_BODY}id"}, {}),
    *(
        ("createHold", "201", operation, {"id": f"{_BODY}id"}, {"token": f"{_BODY}token"})
        for operation in ("extendHold", "releaseHold", "cancelHold")
    ),
    (
        "createHold", "201", "confirmHold", {"id": f"{_BODY}id"},
        {"token": f"{_BODY}token", "fencing_token": f"{_BODY}fencing_token"},
    ),
    *(
        ("claimFailures", "200", operation, {"id": f"{_BODY}entries/0/id"},
         {"fencing_token": f"{_BODY}entries/0/fencing_token"})
        for operation in ("extendFailureLease", "acknowledgeFailure")
    ),
    *(
        ("putReservation", status, operation, {"id": f"{_BODY}id"}, {})
        for status in ("200", "201")
        for operation in ("getReservation", "cancelReservation", "listRemindersOfReservation")
    ),
    ("listReservations", "200", "getReservationByExternalId", {"external_id": f"{_FIRST_RESULT}external_id"}, {}),
    *(
        ("upsertReservations", "202", operation, {"id": f"{_BODY}id"}, {})
        for operation in ("getImport", "stopImport", "listImportProblems", "deleteImport")
    ),
)  # fmt: skip


def add_links(operations: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    """Add the links between the operations, which are given by their ids with their methods and paths.

    A response with one resource or with a list of resources is linked to all operations on one such resource.
    """
    for name, (_method, path, operation) in operations.items():
        for status, response in operation["responses"].items():
            prefix = _prefix_of_ids(name, status)
            if prefix is None:
                continue
            item = re.compile(rf"{re.escape(path)}\{{(\w+)\}}/(\w[\w-]*/)?")
            for target, (_method, target_path, _described) in operations.items():
                if match := item.fullmatch(target_path):
                    parameter = match[1]
                    _link(response, target, {parameter: f"{prefix}{parameter}"}, {})
    for name, status, target, parameters, body in _FURTHER:
        if name in operations and target in operations:
            _link(operations[name][2]["responses"].get(status, {}), target, parameters, body)


def _prefix_of_ids(operation: str, status: str) -> str | None:
    """Return where the response of an operation has the id of a resource, or None if it has no id."""
    if operation.startswith("list") and status == "200":
        return _FIRST_RESULT
    is_new = operation.startswith(("create", "link", "join", "report", "start", "add"))
    return _BODY if is_new and status in {"201", "202"} else None


def _link(response: dict[str, Any], target: str, parameters: dict[str, str], body: dict[str, str]) -> None:
    link: dict[str, Any] = {"operationId": target, "parameters": parameters}
    if body:
        link["requestBody"] = body
    response.setdefault("links", {})[target] = link
