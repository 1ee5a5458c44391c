"""The scheduler of Celery beat, with leader election. Two beat processes may run, and only the leader sends tasks.

The leader holds a lease: a database row that it renews every few seconds. If the leader stops, its lease expires, and
the other process takes over within 30 seconds.

All times come from the database clock, because the clocks of the two machines may differ.
"""

import datetime
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.db import connection
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from tenants.context import platform_context
from tenants.database.availability import is_database_unavailable
from tenants.database.clock import database_now
from tenants.queue import leases

logger = logging.getLogger(__name__)

LEASE = "beat"
LEASE_SECONDS = 20
#: Seconds between two renewals of the lease. A new leader takes over after at most LEASE_SECONDS + RENEW_SECONDS.
RENEW_SECONDS = 5.0
#: Maximum time by which the database clock may fall behind this process's monotonic clock between two ticks.
#: A database clock that falls further behind the monotonic clock was set back.
CLOCK_TOLERANCE = datetime.timedelta(seconds=1)


class DatabaseClock:
    """An estimate of the database clock.

    The database clock is read at each tick of the scheduler. Between two ticks, the estimate advances with the
    monotonic clock of this process.
    """

    def __init__(self) -> None:
        self._offset: datetime.timedelta | None = None

    def synchronize(self) -> bool:
        """Read the database clock. Return whether the database clock was set back since the last read."""
        previous = self._offset
        self._offset = database_now() - _monotonic_time()
        return previous is not None and previous - self._offset > CLOCK_TOLERANCE

    def now(self) -> datetime.datetime:
        return _monotonic_time() + (self._offset or datetime.timedelta(0))


def _monotonic_time() -> datetime.datetime:
    return _EPOCH + datetime.timedelta(seconds=time.monotonic())


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
clock = DatabaseClock()


class DatabaseTimeEntry(ModelEntry):  # type: ignore[misc]
    """A periodic task whose times come from the database clock.

    A `last_run_at` in the future is replaced with the current time. Otherwise the task would not run before
    that time.
    """

    def __init__(self, model: Any, app: Any = None) -> None:
        super().__init__(model, app=app)
        time_zone = getattr(self.schedule, "tz", datetime.UTC)
        self.schedule.nowfun = lambda: clock.now().astimezone(time_zone)
        self.last_run_at = model.last_run_at = min(model.last_run_at, clock.now())

    def _default_now(self) -> datetime.datetime:
        return clock.now()


@contextmanager
def defer_stop_signals() -> Iterator[None]:
    """Handle a SIGTERM or SIGINT that arrives in this block at the end of the block.

    Celery's handler of these signals stores the schedule and raises SystemExit. In the middle of a call to Redis the
    exception can be replaced by another one while the connection is cleaned up, and beat would never stop. In the
    middle of a query, the handler would wait for the connection that this query uses.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _frame: received.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received_number in dict.fromkeys(received):
            signal.raise_signal(received_number)


class LeadingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """A subclass of django-celery-beat's scheduler that sends tasks only while it holds the lease.

    The lease is renewed before tasks are sent, so a process that was paused for a long time notices that it is no
    longer the leader.
    """

    Entry = DatabaseTimeEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self.is_leader = False
        self._last_timestamp: datetime.datetime | None = None
        super().__init__(*args, **kwargs)
        self.max_interval = RENEW_SECONDS

    def setup_schedule(self) -> None:
        """Do nothing, so that beat can start while the database is unavailable. The leader reads the schedule later."""

    def all_as_schedule(self) -> dict[str, Any]:
        """Return the enabled periodic tasks by name.

        A task whose schedule this process cannot read is logged and omitted.
        """
        entries = {}
        for task in self.Model.objects.enabled().prefetch_related(None):
            try:
                entries[task.name] = self.Entry(task, app=self.app)
            except (ValidationError, ValueError) as error:
                logger.warning("the periodic task %s is not sent: %s", task.name, error)
        return entries

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send the due tasks if this process is the leader. Return the number of seconds until the next call.

        Database errors are only logged. Otherwise, they would end both beat processes, and no task would be sent. The
        file BEAT_HEARTBEAT_FILE is touched in any case, because a restart does not help while the database is down.
        """
        if settings.BEAT_HEARTBEAT_FILE:
            Path(settings.BEAT_HEARTBEAT_FILE).touch()
        try:
            with defer_stop_signals(), platform_context():
                if not self._renew_lease():
                    return RENEW_SECONDS
                return float(min(super().tick(*args, **kwargs), RENEW_SECONDS))
        except DatabaseError as error:
            self._log_database_error(error)
            connection.close()
            self.is_leader = False
            return RENEW_SECONDS

    def schedule_changed(self) -> bool:
        """Return whether the schedule was changed in the admin since the last call.

        The method of the base class misses the first change. It also misses changes from a machine with a slow clock.
        """
        previous, self._last_timestamp = self._last_timestamp, self.Changes.last_change()
        return self._last_timestamp != previous

    def sync(self) -> None:
        """Store the time at which each task was last sent. Do nothing if this process is not the leader."""
        if self.is_leader:
            with defer_stop_signals(), platform_context():
                super().sync()

    def close(self) -> None:
        super().close()
        if self.is_leader:
            try:
                with platform_context():
                    leases.release(name=LEASE, holder=self.holder)
            except DatabaseError as error:
                # A lease that cannot be released expires after LEASE_SECONDS.
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
        was_set_back = acquired and clock.synchronize()
        if was_set_back:
            logger.warning("the database's clock was set back; the schedule is read again")
        if acquired and not self.is_leader:
            logger.info("this beat is the leader: %s", self.holder)
        if acquired and (was_set_back or not self.is_leader):
            # The stored schedule contains the time at which the previous leader last sent each task.
            self._read_schedule_again()
        elif self.is_leader and not acquired:
            logger.warning("another beat is the leader; this one is on standby: %s", self.holder)
        self.is_leader = acquired
        return acquired

    def _read_schedule_again(self) -> None:
        self._schedule = self._heap = None
        self._initial_read = True
        self._last_timestamp = self.Changes.last_change()
