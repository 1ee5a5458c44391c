"""What copies of this checkout leave behind."""

import shutil
from collections.abc import Iterator

import pytest

from hotelagent.embedded import paths


@pytest.fixture(scope="session", autouse=True)
def _compiled_modules_go_with_their_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """They stand in this checkout's folder, named for where the copy was."""
    yield
    for folder in (tmp_path_factory.getbasetemp(), "/var/tmp"):  # noqa: S108 - where test_serve puts some
        shutil.rmtree(paths.HOME / "pycache" / str(folder).lstrip("/"), ignore_errors=True)
