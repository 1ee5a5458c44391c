# ruff: noqa: ARG002 - Celery passes more to these methods than they use
"""The part of a Celery worker that receives messages.

Messages that cannot run are stored and not dropped.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery.exceptions import NotRegistered
from celery.worker.consumer import Consumer
from django.db import connection
from kombu.exceptions import DecodeError

from dlq.capture.celery_messages import capture_message
from tenants.queue import celery_task

log = structlog.get_logger(__name__)


class CapturingConsumer(Consumer):
    """A Celery consumer that captures unknown tasks and undecodable messages as failures.

    A message is acknowledged after it was stored. A message that cannot be stored returns to the broker after
    a delay.
    """

    def on_unknown_message(self, body: Any, message: Any) -> None:
        self._store(message, DecodeError("The message is not in the format of a Celery task."))

    def on_unknown_task(self, body: Any, message: Any, exc: BaseException) -> None:
        self._store(message, NotRegistered(message.headers.get("task")))

    def on_invalid_task(self, body: Any, message: Any, exc: BaseException) -> None:
        self._store(message, exc)

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        self._store(message, exc)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return the function that receives messages.

        Malformed messages are stored as failures, because such a message could otherwise end the worker.
        """
        receive = super().create_task_handler(*args, **kwargs)

        def receive_or_store(message: Any) -> None:
            try:
                receive(message)
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                if message.acknowledged:
                    raise
                self._store(message, error)

        return receive_or_store

    def _store(self, message: Any, error: BaseException) -> None:
        worker: Any = self  # Celery's type stubs lack the attributes of consumers
        log.error(
            "message.not_runnable", task=(message.headers or {}).get("task"), error=type(error).__name__
        )
        try:
            capture_message(message, error)
        except Exception:
            log.exception("message.not_stored")
            worker.timer.call_after(
                celery_task.REQUEUE_DELAY, message.reject_log_error, (log, worker.connection_errors, True)
            )
        else:
            message.ack_log_error(log, worker.connection_errors)
        finally:
            # The processes that the worker forks must not share its database connection, so the connection is closed.
            connection.close()
