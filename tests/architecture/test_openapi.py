"""Tests of the OpenAPI documents of the repository: they are up to date, and their names suit generated clients."""

import json
import re
from pathlib import Path

import pytest

from hotelagent.rest.documentation import document
from hotelagent.rest.documentation.document import operations_by_id
from tests.programs import run_python

DOCUMENTS = sorted((Path(document.__file__).parent / "schemas").glob("*.json"))


def test_openapi_documents_of_the_repository_are_up_to_date() -> None:
    result = run_python("manage.py", "write_openapi", "--check", environment=None)
    # drf-spectacular writes a warning to the standard error if it cannot describe a part of the API.
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_operation_ids_are_a_verb_and_a_noun_in_camel_case(file: Path) -> None:
    names = operations_by_id(json.loads(file.read_text()))
    wrong = [name for name in names if not re.fullmatch("[a-z]+([A-Z][a-z0-9]+)+", name)]
    assert wrong == [], "Set the id with extend_schema(operation_id=...), such as listRooms."


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_names_of_enumerations_are_chosen_and_not_generated(file: Path) -> None:
    names = json.loads(file.read_text())["components"]["schemas"]
    generated = [name for name in names if name.endswith("Enum")]
    assert generated == [], "Add the names to ENUM_NAME_OVERRIDES in hotelagent/settings/rest.py."
