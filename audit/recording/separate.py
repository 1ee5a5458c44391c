"""The writer of events that must be kept even if the caller's transaction is rolled back.

Each process has one writer thread with one database connection and a queue of limited length. The first event starts
the thread, and the next event starts it again if it has died. If the database is unavailable, the thread tries again
for a minute. Events that could not be written are counted, and the count is recorded as an event when the database is
available.
"""

import atexit
import datetime
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import Full, Queue

import structlog
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from audit.models import Event
from hotelagent.core.metrics import counter
from tenants.context import current_tenant

log = structlog.get_logger(__name__)

LOST = counter("hotelagent_audit_events_lost_total", "Audit events that could not be written.")

#: The maximum number of events in the queue of the writer thread.
QUEUE_LENGTH = 1000
#: If the database is unavailable, the writer tries to store an event for this number of seconds.
RETRY_SECONDS = 60.0
#: The pause between two attempts to store an event, in seconds.
RETRY_PAUSE = 1.0
#: At the end of the process, the process waits at most this number of seconds until the queue of events is empty.
EXIT_SECONDS = 5.0
#: Database errors that are temporary, so a later attempt to store the event may succeed.
TEMPORARY_ERRORS = (OperationalError, InterfaceError)


@dataclass(slots=True)
class LostEvents:
    """The number of events of one tenant that could not be written, by event type.

    `since` is the time at which the first of these events was lost.
    """

    context: Context
    since: datetime.datetime = field(default_factory=timezone.now)
    types: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Work:
    context: Context
    event: Event
    written: Future[None] = field(default_factory=Future)
    queued_at: float = field(default_factory=time.monotonic)


class SeparateWriter:
    """A queue of events and the thread that writes the events to the database.

    `record_lost` is called in the context of a tenant to record an event that says how many events were lost.
    """

    def __init__(self, record_lost: Callable[[LostEvents], None]) -> None:
        self._record_lost = record_lost
        self._queue: Queue[_Work] = Queue(QUEUE_LENGTH)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._lost: dict[str, LostEvents] = {}

    def submit(self, event: Event) -> Future[None]:
        """Add an event of the current tenant to the queue. Return a future that completes when the event is written.

        If the queue is full, the event is counted as lost, and the future raises `queue.Full`.
        """
        work = _Work(copy_context(), event)
        try:
            self._queue.put_nowait(work)
        except Full as error:
            self._count_lost(work)
            work.written.set_exception(error)
        self._ensure_thread()
        return work.written

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until all queued events are written or lost. Return False if this takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                if (remaining := deadline - time.monotonic()) <= 0:
                    return False
                self._queue.all_tasks_done.wait(remaining)
        return True

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="audit-record", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            try:
                self._write(work)
            finally:
                self._queue.task_done()

    def _write(self, work: _Work) -> None:
        try:
            self._save_with_retries(work)
        except BaseException as error:
            log.exception("audit.not_recorded", audit_event=work.event.event)
            self._count_lost(work)
            self._close_connection()
            work.written.set_exception(error)
        else:
            self._report_lost()
            if self._queue.empty():
                # The connection is closed before the caller continues, so that idle processes keep only one connection.
                self._close_connection()
            work.written.set_result(None)

    def _save_with_retries(self, work: _Work) -> None:
        while True:
            try:
                work.context.run(work.event.save, force_insert=True)
            except TEMPORARY_ERRORS:
                if time.monotonic() - work.queued_at > RETRY_SECONDS:
                    raise
                log.warning("audit.recording_delayed", audit_event=work.event.event, exc_info=True)
                self._close_connection()
                time.sleep(RETRY_PAUSE)
            else:
                return

    def _count_lost(self, work: _Work) -> None:
        LOST.inc()
        schema = work.context.run(current_tenant).schema
        with self._lock:
            lost = self._lost.setdefault(schema, LostEvents(work.context))
            lost.types[work.event.event] += 1

    def _report_lost(self) -> None:
        """Record for each trail how many events were lost. If this fails, keep the numbers for the next attempt."""
        with self._lock:
            reported, self._lost = self._lost, {}
        for schema, lost in reported.items():
            try:
                lost.context.copy().run(self._record_lost, lost)
            except Exception:
                log.exception("audit.lost_events_not_recorded", lost=lost.types.total())
                self._close_connection()
                with self._lock:
                    lost.types += self._lost[schema].types if schema in self._lost else Counter()
                    self._lost[schema] = lost

    @staticmethod
    def _close_connection() -> None:
        try:
            connection.close()
        except Exception:
            log.warning("audit.connection_not_closed", exc_info=True)


class ProcessWriter:
    """The object that keeps the event writer of this process.

    After a fork, the child process gets a new writer. The old writer cannot be used there, because threads do not
    survive a fork.
    """

    def __init__(self, record_lost: Callable[[LostEvents], None]) -> None:
        self._record_lost = record_lost
        self._renew()
        os.register_at_fork(after_in_child=self._renew)
        atexit.register(self._finish)

    def current(self) -> SeparateWriter:
        return self._writer

    def _renew(self) -> None:
        self._writer = SeparateWriter(self._record_lost)

    def _finish(self) -> None:
        if not self._writer.wait_until_empty(EXIT_SECONDS):
            log.error("audit.events_lost_at_exit")
