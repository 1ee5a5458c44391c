"""Fixtures for the tests of staff accounts."""

from collections.abc import Iterator

import pytest
from celery import current_app


@pytest.fixture(autouse=True)
def _tasks_run_in_this_process() -> Iterator[None]:
    """Run Celery tasks in the test's process when they are sent, which happens after the commit of a transaction."""
    previous = current_app.conf.task_always_eager
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = previous
