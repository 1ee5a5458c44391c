"""The base class of all Celery tasks of the project.

The headers of a task's message contain the tenant. The broker delivers a message again when its worker dies. The number
of deliveries is counted in the database, because Redis does not count them.
"""

import contextlib
import datetime
import logging
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from celery import current_app
from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore, Reject, Retry
from django.db import close_old_connections, connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from kombu.utils.uuid import uuid
from redis import RedisError

from hotelagent.core.tracing import spans
from tenants import host_routing
from tenants.context import (
    Tenant,
    actor_context,
    current_actor,
    current_tenant,
    hotel_context,
    platform_context,
)
from tenants.errors import HotelSuspended, TooManyDeliveries
from tenants.models import HotelStatus
from tenants.queue.initiators import (
    INITIATOR_HEADER,
    REQUEST_ID_HEADER,
    initiator_headers,
    task_actor,
    with_initiator_name,
)
from tenants.queue.success import store_success
from tenants.signals import task_failed, task_succeeded

logger = logging.getLogger(__name__)

HOTEL_HEADER = "hotel"
#: The header with the kind of the due items in the message. Only messages that the due queue sends have this header.
#: The due queue sends a message with this header again until its due items are processed.
DUE_HEADER = "due"
#: The header with an id. Repeated messages for one task have the same id, so their deliveries are counted together.
WORK_HEADER = "work"
#: The exceptions that Celery raises for a new task if the broker (Redis) is unreachable, full or read-only.
BROKER_ERRORS = (OperationalError, RedisError, OSError)
#: A Celery message is not run again after this number of deliveries.
MAX_DELIVERIES = 4
#: Maximum delay of a Celery message. Redis would deliver a message with a longer delay more than once.
MAX_DELAY = datetime.timedelta(minutes=1)
#: If a failure cannot be stored, a worker waits this number of seconds before it returns the message to the broker.
REQUEUE_DELAY = 5.0


class HotelTask(DjangoTask[Any, Any]):
    """A Celery task that runs in the context of its sender: a hotel or the platform.

    Use `@shared_task(base=HotelTask, name="reminders.tasks.send_due")`. The task does not run if its hotel is no longer
    active. If a failure of the task cannot be stored, the message returns to the broker and the task runs again.
    """

    #: Celery imports the request class from this path in workers only, because no other process needs the module.
    Request = "tenants.queue.celery_request:HotelRequest"

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Send the task. Raises ValueError if the delay exceeds MAX_DELAY, and TenantNotSet if there is no current
        tenant.
        """
        self._check_delay(options)
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}
        task_id = options["task_id"] = options.get("task_id") or uuid()
        with spans.publishing(self, task_id):
            return super().apply_async(args, kwargs, **options)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}
        return super().apply(args, kwargs, **options)

    def try_delay(self, *args: Any, **options: Any) -> bool:
        """Send the task. Return False if the broker is unavailable, full or read-only.

        Use this method only if a database row ensures that the task is sent again later.
        """
        try:
            self.apply_async(args=args, **options)
        except BROKER_ERRORS:
            logger.exception("could not send %s to the broker", self.name)
            return False
        return True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> None:
        """Send the task after the current transaction commits, with the tenant of this call. Errors are only logged.

        The transaction must therefore store a row that causes the task to be sent again.
        """
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}

        # The callback is a function and not a `partial`, because Django logs the name of a callback that fails.
        def send() -> None:
            self.apply_async(args, kwargs, **options)

        transaction.on_commit(send, robust=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A task without a request id was called as a plain function, and runs in the caller's context.
        if not self.request.id:
            return super().__call__(*args, **kwargs)
        due_ids = self.due_ids
        started = time.monotonic()
        try:
            with self._context():
                if self.is_redelivered:
                    if len(due_ids) > 1:
                        self._send_separately(due_ids)
                        return None
                    self._count_delivery()
                result = super().__call__(*args, **kwargs)
        except (Ignore, Reject, Retry):
            raise
        except Exception as error:
            vars(self.request)["seconds"] = time.monotonic() - started
            if len(due_ids) > 1:
                logger.warning("%s failed; its due items are sent separately", self.name, exc_info=True)
                self._send_separately(due_ids)
                raise Ignore from error
            if not self.try_report_failure(error):
                time.sleep(REQUEUE_DELAY * random.uniform(0.8, 1.2))  # noqa: S311
                raise Reject(error, requeue=True) from error
            raise
        self._report_success()
        return result

    @property
    def message_headers(self) -> dict[str, Any]:
        """Return the headers of the current message.

        Celery stores the headers as attributes of the request or, if tasks run eagerly, in `request.headers`.
        """
        return {**vars(self.request), **(self.request.headers or {})}

    @property
    def due_ids(self) -> list[str]:
        """Return the ids of the due items in the current message.

        The list is empty if the due queue did not send the message.
        """
        return list((self.request.args or [[]])[0]) if DUE_HEADER in self.message_headers else []

    @property
    def idempotency_key(self) -> str:
        """Return a key that is the same for all deliveries of the current message, and for the retries of its task.

        A task passes the key to external systems, so that these systems ignore a repeated request.
        """
        headers = self.message_headers
        # A due item can be scheduled again for new work, so each message of the item has a separate key.
        work_id = None if DUE_HEADER in headers else headers.get(WORK_HEADER)
        return str(work_id or self.request.id)

    def _send_separately(self, due_ids: list[str]) -> None:
        """Send each due item of the current message in its own message, so that a failed item affects no other item.

        If the broker is unavailable, the due queue sends the items after their lease has ended.
        """
        headers = self.message_headers
        kind, hotel_id = headers[DUE_HEADER], headers[HOTEL_HEADER]
        with platform_context():
            for due_id in due_ids:
                work_id = uuid5(UUID(due_id), kind)
                sent = {HOTEL_HEADER: hotel_id, DUE_HEADER: kind, WORK_HEADER: str(work_id)}
                if INITIATOR_HEADER in headers:
                    sent[INITIATOR_HEADER] = headers[INITIATOR_HEADER]
                self.try_delay([due_id], headers=sent)

    def try_report_failure(self, error: BaseException) -> bool:
        """Send the signal `task_failed` for the current Celery message. Return False if a receiver raises an error."""
        try:
            task_failed.send(type(self), task=self, error=error)
        except Exception:
            logger.exception("the failure of %s[%s] could not be stored", self.name, self.request.id)
            close_old_connections()
            return False
        return True

    def _report_success(self) -> None:
        """Send the signal `task_succeeded`. If a receiver raises an error, send the signal again after a delay.

        Errors of receivers never make the task fail.
        """
        with contextlib.suppress(Exception):
            store_success(
                lambda: task_succeeded.send(type(self), task=self), work=f"{self.name}[{self.request.id}]"
            )

    def _context_headers(self) -> dict[str, Any]:
        headers: dict[str, Any] = initiator_headers()
        if (hotel_id := current_tenant().id) is not None:
            headers[HOTEL_HEADER] = str(hotel_id)
        if request_id := current_actor().request_id:
            headers[REQUEST_ID_HEADER] = request_id
        return headers

    @contextlib.contextmanager
    def _context(self) -> Iterator[None]:
        headers = self.message_headers
        actor = task_actor(headers, name=self.name, task_id=str(self.request.id))
        hotel_id = headers.get(HOTEL_HEADER)
        context = self.in_hotel(hotel_id) if hotel_id else platform_context()
        with context, actor_context(with_initiator_name(actor)):
            spans.annotate()
            yield

    def in_hotel(self, hotel_id: str) -> AbstractContextManager[Tenant]:
        """Return a context manager for the hotel's context.

        Raises HotelSuspended if the hotel is suspended, so that the message is stored as a failure. Raises celery's
        Ignore instead if the due queue will send the message again, or if the hotel no longer exists.
        """
        hotel = host_routing.by_id(UUID(hotel_id))
        if hotel is None or hotel.status != HotelStatus.ACTIVE:
            logger.warning(
                "skipped %s: hotel %s is %s", self.name, hotel_id, hotel.status if hotel else "unknown"
            )
            if hotel is None or DUE_HEADER in self.message_headers:
                raise Ignore
            raise HotelSuspended
        return hotel_context(hotel)

    @property
    def is_redelivered(self) -> bool:
        return bool((self.request.delivery_info or {}).get("redelivered"))

    def _count_delivery(self) -> None:
        """Count a repeated delivery of the current message.

        Raises TooManyDeliveries after MAX_DELIVERIES deliveries.
        """
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenants_redelivery (task_id, deliveries, created_at) VALUES (%s, 2, now()) "
                "ON CONFLICT (task_id) DO UPDATE SET deliveries = tenants_redelivery.deliveries + 1 "
                "RETURNING deliveries",
                [self.message_headers.get(WORK_HEADER) or self.request.id],
            )
            deliveries = cursor.fetchone()[0]
        logger.warning(
            "delivery %s of %s[%s]: the previous worker died", deliveries, self.name, self.request.id
        )
        if deliveries > MAX_DELIVERIES:
            raise TooManyDeliveries(f"{self.name} was delivered {deliveries} times.", task=self.name)

    def _check_delay(self, options: dict[str, Any]) -> None:
        delay = datetime.timedelta(seconds=options.get("countdown") or 0)
        if eta := options.get("eta"):
            delay = max(delay, eta - timezone.now())
        if delay > MAX_DELAY:
            raise ValueError(
                f"{self.name} has a delay of {delay}; the maximum is {MAX_DELAY}. Redis would deliver the message "
                "more than once. Use the due queue (tenants.queue.due.schedule) for longer delays."
            )


def get_task(name: str) -> Any:
    """Return a registered task by name. Import all task modules first if needed.

    Celery imports the task modules when a worker starts, but not in web processes and commands. Raises celery's
    NotRegistered.
    """
    if name not in current_app.tasks:
        _import_task_modules()
    return current_app.tasks[name]


@cache
def _import_task_modules() -> None:
    """Import all modules with tasks, but only once per process, because each unknown task calls this function."""
    current_app.loader.import_default_modules()


def send_on_commit(task_name: str, *args: Any) -> None:
    """Send a task by name after the current transaction commits."""
    get_task(task_name).delay_on_commit(*args)
