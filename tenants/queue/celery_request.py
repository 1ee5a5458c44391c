"""The class of the task messages that a worker processes.

If the task fails, the message is acknowledged only after the failure has been stored. A task that exceeds the hard time
limit is killed with its process, so the parent process reports the failure.
"""

from typing import Any

from celery.app.task import Context
from celery.exceptions import Ignore, Reject, Retry, Terminated, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

#: Exceptions for which no failure is stored, because the task has not failed or its message is delivered again.
_OTHER_OUTCOMES = (Ignore, Reject, Retry, Terminated, WorkerLostError, SystemExit, KeyboardInterrupt)


class HotelRequest(Request):
    """A Celery message for a HotelTask, in the parent process of a worker.

    `_is_stored` says whether a failure of the task was stored. The value is None if no failure was reported.
    """

    _is_stored: bool | None = None

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if not soft:
            self._store_failure(TimeLimitExceeded(timeout))
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Store the failure unless `return_ok` is true, which means that the child process has already stored it."""
        error = getattr(
            exc_info.exception, "exc", exc_info.exception
        )  # billiard wraps errors with a traceback
        if not return_ok and not isinstance(error, _OTHER_OUTCOMES):
            self._store_failure(error)
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def acknowledge(self) -> None:
        """Acknowledge the message of the task.

        If the task failed and its failure could not be stored, return the message to the broker instead.
        """
        if self._is_stored is False:
            self.reject(requeue=True)
        else:
            super().acknowledge()

    def _store_failure(self, error: BaseException) -> None:
        """Send the signal `task_failed` to store the failure, unless the signal has already been sent.

        The receivers of the signal read the hotel's id from the task's request, so this method sets the task's request
        during the call.
        """
        if self._is_stored is None:
            task: Any = self.task
            task.request_stack.push(Context(self.request_dict))
            try:
                self._is_stored = task.try_report_failure(error)
            finally:
                task.request_stack.pop()
