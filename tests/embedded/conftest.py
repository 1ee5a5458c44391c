"""Fixtures for tests that copy this checkout and run commands in the copy."""

import shutil
from collections.abc import Iterator

import pytest

from tests.embedded.checkout import COMPILED


@pytest.fixture(scope="session", autouse=True)
def _delete_compiled_modules_of_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Delete the links to the bytecode of the copied checkouts after the tests. `checkout.copy` creates the links."""
    yield
    for folder in (tmp_path_factory.getbasetemp(), "/var/tmp"):  # noqa: S108 - test_serve creates copies there
        shutil.rmtree(COMPILED / str(folder).lstrip("/"), ignore_errors=True)
