"""Tests that linters accept the OpenAPI documents, and that client generators understand them completely."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.openapi import tools

CHECKS = {check.__name__: check for check in tools.CHECKS}


@pytest.fixture(autouse=True)
def _require_installed_tools(request: pytest.FixtureRequest) -> None:
    if not tools.are_installed():
        pytest.skip("The tools for OpenAPI documents are not installed: NOT TESTED. Run `make api-lint`.")


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("document", tools.DOCUMENTS, ids=lambda path: path.stem)
def test_openapi_document_is_accepted_without_a_warning(document: Path, check: Callable[[Path], str]) -> None:
    assert check(document) == ""


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_openapi_document_with_a_mistake_is_reported(check: Callable[[Path], str], tmp_path: Path) -> None:
    document = json.loads(tools.DOCUMENTS[0].read_text())
    # One path is enough, because the tools need seconds for the whole document.
    document["paths"] = {"/api/v1/rooms/": document["paths"]["/api/v1/rooms/"]}
    # Clients cannot be generated from a reference to a component that does not exist. No operation id may be missing.
    del document["components"]["schemas"]["Room"]
    del document["paths"]["/api/v1/rooms/"]["get"]["operationId"]
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(document))
    assert check(damaged) != ""
