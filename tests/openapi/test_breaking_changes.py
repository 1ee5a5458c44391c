"""Tests that the REST API has no changes that break clients, compared with the main branch."""

import copy
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotelagent.embedded import paths
from tests.openapi import tools
from tests.openapi.breaking import breaking_changes

ACCEPTED = Path(__file__).with_name("accepted_changes.txt")


def git(*arguments: str) -> str | None:
    """Run git, and return its output, or None if it failed."""
    result = subprocess.run(
        ["git", *arguments], cwd=paths.CHECKOUT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() if result.returncode == 0 else None


def base_commit() -> str | None:
    """Return the commit of the main branch that the working tree is compared with, or None without a git history.

    On the main branch itself, this is the previous commit.
    """
    head = git("rev-parse", "HEAD")
    names = (os.environ.get("OPENAPI_BASE") or "origin/main", "main")
    mains = [commit for name in names if (commit := git("rev-parse", "--verify", "--quiet", name))]
    if mains and mains[0] != head:
        return git("merge-base", "HEAD", mains[0])
    return git("rev-parse", "--verify", "--quiet", "HEAD^")


def is_accepted(change: str) -> bool:
    """Return whether a line of the file of accepted changes matches the change. In a line, `*` stands for any text."""
    lines = (line.strip() for line in ACCEPTED.read_text().splitlines())
    patterns = (re.escape(line).replace(r"\*", ".*") for line in lines if line and not line.startswith("#"))
    return any(re.fullmatch(pattern, change) for pattern in patterns)


@pytest.mark.parametrize("file", tools.DOCUMENTS, ids=lambda path: path.stem)
def test_rest_api_has_no_change_since_the_main_branch_that_breaks_clients(file: Path) -> None:
    base = base_commit()
    text = git("show", f"{base}:{file.relative_to(paths.CHECKOUT)}") if base else None
    if text is None:
        pytest.skip("The git history has no earlier OpenAPI document: NOT TESTED.")
    changes = breaking_changes(json.loads(text), json.loads(file.read_text()))
    unaccepted = [change for change in changes if not is_accepted(change)]
    assert unaccepted == [], (
        "These changes break clients. Keep the old behaviour and deprecate it, or, if nobody can depend on it yet, add "
        f"the lines with a reason to {ACCEPTED.name}."
    )


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        next(path for path in tools.DOCUMENTS if path.stem == "hotel").read_text()
    )
    return loaded


Change = Callable[[dict[str, Any]], Any]


def schema(document: dict[str, Any], name: str) -> Any:
    return document["components"]["schemas"][name]


BREAKING: dict[str, tuple[Change, str]] = {
    "operation": (
        lambda new: new["paths"]["/api/v1/rooms/{id}/"].pop("patch"),
        "PATCH /api/v1/rooms/{id}/: the operation was removed",
    ),
    "operation id": (
        lambda new: new["paths"]["/api/v1/rooms/"]["get"].update(operationId="findRooms"),
        "GET /api/v1/rooms/: the operation id listRooms was renamed to findRooms",
    ),
    "response field": (
        lambda new: schema(new, "Room")["properties"].pop("capacity"),
        "GET /api/v1/rooms/{id}/, response 200: the field capacity was removed",
    ),
    "nullable response field": (
        lambda new: schema(new, "Room")["properties"]["number"].update(type=["string", "null"]),
        "GET /api/v1/rooms/{id}/, response 200.number: the type null was added",
    ),
    "request field": (
        lambda new: schema(new, "RoomRequest")["properties"].pop("floor"),
        "POST /api/v1/rooms/, request: the field floor was removed",
    ),
    "required request field": (
        lambda new: schema(new, "RoomRequest")["required"].append("floor"),
        "POST /api/v1/rooms/, request: the field floor is now required",
    ),
    "limit": (
        lambda new: schema(new, "RoomRequest")["properties"]["number"].update(maxLength=3),
        "POST /api/v1/rooms/, request.number: maxLength changed from 20 to 3",
    ),
    "enumeration": (
        lambda new: schema(new, "WebhookEvent")["enum"].remove("hold.expired"),
        "POST /api/v1/webhooks/, request.events[]: the value hold.expired was removed",
    ),
    "required parameter": (
        lambda new: new["paths"]["/api/v1/rooms/"]["get"]["parameters"].append(
            {"name": "building", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "GET /api/v1/rooms/: the parameter building is now required",
    ),
    "parameter": (
        lambda new: new["paths"]["/api/v1/rooms/"]["get"].update(parameters=[]),
        "GET /api/v1/rooms/: the parameter room_type was removed",
    ),
    "response header": (
        lambda new: new["paths"]["/api/v1/rooms/{id}/"]["get"]["responses"]["200"]["headers"].pop("ETag"),
        "GET /api/v1/rooms/{id}/, response 200: the header ETag was removed",
    ),
    "webhook": (
        lambda new: new["webhooks"].pop("hold.expired"),
        "webhook hold.expired: the event was removed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BREAKING.values(), ids=BREAKING)
def test_change_that_breaks_clients_is_reported(
    document: dict[str, Any], change: Change, message: str
) -> None:
    new = copy.deepcopy(document)
    change(new)
    assert message in breaking_changes(document, new)
    assert breaking_changes(document, document) == []


COMPATIBLE: dict[str, Change] = {
    "optional request field": lambda new: schema(new, "RoomRequest")["properties"].update(view={"type": "string"}),
    "response field": lambda new: schema(new, "Room")["properties"].update(view={"type": "string"}),
    "wider limit": lambda new: schema(new, "RoomRequest")["properties"]["number"].update(maxLength=99),
    "value": lambda new: schema(new, "WebhookEvent")["enum"].append("room.cleaned"),
    "operation": lambda new: new["paths"].update(
        {"/api/v1/lifts/": {"get": {"operationId": "listLifts", "responses": {}}}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_addition_to_the_rest_api_is_not_reported_as_breaking(
    document: dict[str, Any], change: Change
) -> None:
    new = copy.deepcopy(document)
    change(new)
    assert breaking_changes(document, new) == []
