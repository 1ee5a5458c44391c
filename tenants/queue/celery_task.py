"""The base of all our tasks: the hotel travels in the message's headers and is set around the call (DESIGN 4.7)."""

import contextlib
import datetime
import functools
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore
from django.db import connection, transaction
from django.utils import timezone

from tenants import host_routing
from tenants.context import (
    Actor,
    Tenant,
    actor_context,
    current_actor,
    current_tenant,
    hotel_context,
    platform_context,
)
from tenants.errors import TooManyDeliveries
from tenants.models import HotelStatus

logger = logging.getLogger(__name__)

HOTEL_HEADER = "hotel"
REQUEST_HEADER = "request"
#: A message is run so often at most: again after a worker that was killed, not after one that it kills each time.
MOST_DELIVERIES = 4
#: Redis hands a message out again after its visibility timeout, a waiting one too: what is due later than this
#: belongs in the due queue.
LONGEST_DELAY = datetime.timedelta(minutes=1)


class HotelTask(DjangoTask[Any, Any]):
    """`@shared_task(base=HotelTask, name="reminders.tasks.send_due")`.

    Sent from a hotel's context, it runs in that hotel's context; sent from the platform's, in the platform's.
    A hotel that is no longer active: the task is not run. The task object is shared by threads and keeps no state.
    """

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Refuses a delay of more than LONGEST_DELAY, and a call where neither hotel nor platform is set."""
        self._refuse_long_delay(options)
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}
        return super().apply_async(args, kwargs, **options)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}
        return super().apply(args, kwargs, **options)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> None:
        """Send it once the transaction is committed. The hotel is that of this call, not of the commit."""
        options["headers"] = {**self._context_headers(), **(options.get("headers") or {})}
        transaction.on_commit(functools.partial(self.apply_async, args, kwargs, **options))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.request.id:  # called as a function: its caller's context is the right one
            return super().__call__(*args, **kwargs)
        with self._context():
            if self.is_redelivered:
                self._count_delivery()
            return super().__call__(*args, **kwargs)

    def _context_headers(self) -> dict[str, str]:
        headers = {}
        if (hotel := current_tenant().id) is not None:
            headers[HOTEL_HEADER] = str(hotel)
        if request_id := current_actor().request_id:
            headers[REQUEST_HEADER] = request_id
        return headers

    @contextlib.contextmanager
    def _context(self) -> Iterator[None]:
        headers = {**vars(self.request), **(self.request.headers or {})}
        actor = Actor(
            kind="task", id=str(self.request.id), label=self.name, request_id=headers.get(REQUEST_HEADER)
        )
        hotel_id = headers.get(HOTEL_HEADER)
        with self.in_hotel(hotel_id) if hotel_id else platform_context(), actor_context(actor):
            yield

    def in_hotel(self, hotel_id: str) -> AbstractContextManager[Tenant]:
        """The context of a hotel that the task is to run in. Raises Ignore where that is no longer active."""
        hotel = host_routing.by_id(UUID(hotel_id))
        if hotel is None or hotel.status != HotelStatus.ACTIVE:
            logger.warning(
                "not run: %s, for hotel %s is %s", self.name, hotel_id, hotel.status if hotel else "gone"
            )
            raise Ignore
        return hotel_context(hotel)

    @property
    def is_redelivered(self) -> bool:
        return bool((self.request.delivery_info or {}).get("redelivered"))

    def _count_delivery(self) -> None:
        """Count in the database, for the broker does not: a message whose worker dies comes back without end."""
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenants_redelivery (task_id, deliveries, created_at) VALUES (%s, 2, now()) "
                "ON CONFLICT (task_id) DO UPDATE SET deliveries = tenants_redelivery.deliveries + 1 "
                "RETURNING deliveries",
                [self.request.id],
            )
            deliveries = cursor.fetchone()[0]
        logger.warning("delivery %s of %s[%s]: a worker died", deliveries, self.name, self.request.id)
        if deliveries > MOST_DELIVERIES:
            raise TooManyDeliveries(f"{self.name} was delivered {deliveries} times.", task=self.name)

    def _refuse_long_delay(self, options: dict[str, Any]) -> None:
        delay = datetime.timedelta(seconds=options.get("countdown") or 0)
        if eta := options.get("eta"):
            delay = max(delay, eta - timezone.now())
        if delay > LONGEST_DELAY:
            raise ValueError(
                f"{self.name} would wait {delay} in the broker, which hands waiting messages out again. "
                "Use the due queue (tenants.queue.due.schedule) for more than a minute."
            )
