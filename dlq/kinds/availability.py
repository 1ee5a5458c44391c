"""The check whether this version of the application has the code to process a failure."""

from typing import Protocol

from celery.exceptions import NotRegistered

from dlq.kinds.namespaces import is_external
from dlq.kinds.registry import find_kind
from tenants.queue.celery_task import get_task


class NamedWork(Protocol):
    """An object, such as a failure, with the properties that determine which code processes it."""

    @property
    def name(self) -> str: ...

    @property
    def is_task(self) -> bool: ...


def has_code(failure: NamedWork) -> bool:
    """Return whether this version has the retry handler or the Celery task of the failure.

    A failure of another system needs no code here. A failure without code is kept. If the failure is scheduled, it is
    retried when a version that has the code is deployed.
    """
    if is_external(failure.name) or find_kind(failure.name).handler is not None:
        return True
    try:
        return failure.is_task and get_task(failure.name) is not None
    except NotRegistered:
        return False
