"""Test that the OpenAPI documents of the repository describe the REST API of this code."""

from tests.programs import run_python


def test_openapi_documents_of_the_repository_are_up_to_date() -> None:
    result = run_python("manage.py", "write_openapi", "--check", environment=None)
    # drf-spectacular writes a warning to the standard error if it cannot describe a part of the API.
    assert (result.returncode, result.stderr) == (0, "")
