"""The scheduler of Celery beat, with leader election. Two beats may run, and only the leader sends tasks.

The leader holds a lease, a row in the database that it renews at every tick. If the leader stops, its lease expires and
the other beat takes over within 30 seconds.
"""

import datetime
import logging
import os
import socket
from typing import Any

from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.db import connection
from django_celery_beat.schedulers import DatabaseScheduler

from tenants.context import platform_context
from tenants.database.availability import is_database_unavailable
from tenants.queue import leases

logger = logging.getLogger(__name__)

LEASE = "beat"
LEASE_SECONDS = 20
#: Seconds between two renewals. A take-over takes at most LEASE_SECONDS + RENEW_SECONDS.
RENEW_SECONDS = 5.0


class LeadingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler that sends tasks only while it holds the lease.

    A former leader that was suspended notices the loss of its lease before it sends anything, because each tick begins
    with a renewal. If a task is sent twice nevertheless, the due queue still leases each item to one worker only.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self.is_leader = False
        self._last_timestamp: datetime.datetime | None = None
        super().__init__(*args, **kwargs)
        self.max_interval = RENEW_SECONDS

    def setup_schedule(self) -> None:
        """Do nothing. The leader reads the schedule, so beat also starts while the database is unavailable."""

    def all_as_schedule(self) -> dict[str, Any]:
        """Return the enabled tasks. A task whose schedule this process cannot read is logged and left out.

        The library prefetches all schedules, so one time zone that this process does not know would end beat.
        """
        entries = {}
        for task in self.Model.objects.enabled().prefetch_related(None):
            try:
                entries[task.name] = self.Entry(task, app=self.app)
            except (ValidationError, ValueError) as error:
                logger.warning("the periodic task %s is not sent: %s", task.name, error)
        return entries

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send the tasks that are due if this beat leads. Return the seconds until the next tick.

        Beat does not end on a database error, because both beats would end and no tick would be sent afterwards.
        """
        try:
            with platform_context():
                if not self._renew_lease():
                    return RENEW_SECONDS
                return float(min(super().tick(*args, **kwargs), RENEW_SECONDS))
        except DatabaseError as error:
            self._log_database_error(error)
            connection.close()
            self.is_leader = False
            return RENEW_SECONDS

    def schedule_changed(self) -> bool:
        """Return whether the admin has stored a change of the schedule since the last call.

        The base class compares which time is later, and so misses the first change, and changes by a machine whose
        clock is behind.
        """
        previous, self._last_timestamp = self._last_timestamp, self.Changes.last_change()
        return self._last_timestamp != previous

    def sync(self) -> None:
        """Store when each task was last sent. Only the leader knows this."""
        if self.is_leader:
            with platform_context():
                super().sync()

    def close(self) -> None:
        super().close()
        if self.is_leader:
            try:
                with platform_context():
                    leases.release(name=LEASE, holder=self.holder)
            except DatabaseError as error:  # the lease ends without us
                self._log_database_error(error)
            self.is_leader = False

    def _log_database_error(self, error: Exception) -> None:
        summary = str(error).partition("\n")[0]
        if is_database_unavailable(error):
            logger.warning("beat waits for the database: %s", summary)
        else:
            logger.error("beat got a database error and tries again: %s", summary, exc_info=error)

    def _renew_lease(self) -> bool:
        acquired = leases.acquire(name=LEASE, holder=self.holder, seconds=LEASE_SECONDS)
        if acquired and not self.is_leader:
            logger.info("this beat is the leader: %s", self.holder)
            # Read the schedule again: the previous leader has stored when each task was last sent.
            self._schedule = self._heap = None
            self._initial_read = True
            self._last_timestamp = self.Changes.last_change()
        elif self.is_leader and not acquired:
            logger.warning("another beat is the leader; this one is on standby: %s", self.holder)
        self.is_leader = acquired
        return acquired
