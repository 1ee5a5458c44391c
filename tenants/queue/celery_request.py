"""The worker's view of a task message: it is acknowledged only after the failure of its task was stored.

Celery runs tasks in child processes. A task that exceeds the hard time limit is killed with its process, so the parent
process reports the failure.
"""

from typing import Any

from celery.app.task import Context
from celery.exceptions import Ignore, Reject, Retry, Terminated, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

#: Errors that are no failures of the task, or that make the broker deliver the message again.
_OTHER_OUTCOMES = (Ignore, Reject, Retry, Terminated, WorkerLostError, SystemExit, KeyboardInterrupt)


class HotelRequest(Request):
    """A message of a HotelTask in the parent process of a worker.

    `_is_stored` is None if the parent process has no failure to report, and False if the failure could not be stored.
    """

    _is_stored: bool | None = None

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if not soft:
            self._store_failure(TimeLimitExceeded(timeout))
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Store a failure that the child process could not report: with `return_ok`, the child has reported it."""
        error = getattr(
            exc_info.exception, "exc", exc_info.exception
        )  # billiard wraps errors with a traceback
        if not return_ok and not isinstance(error, _OTHER_OUTCOMES):
            self._store_failure(error)
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def acknowledge(self) -> None:
        """Acknowledge the message. If the failure could not be stored, return the message to the broker instead."""
        if self._is_stored is False:
            self.reject(requeue=True)
        else:
            super().acknowledge()

    def _store_failure(self, error: BaseException) -> None:
        """Report the failure once. The task's request is set meanwhile, because it contains the id of the hotel."""
        if self._is_stored is None:
            task: Any = self.task
            task.request_stack.push(Context(self.request_dict))
            try:
                self._is_stored = task.try_report_failure(error)
            finally:
                task.request_stack.pop()
