"""Functions that store the success of a task or a retry, even if the database is unavailable for some seconds."""

import logging
import time
from collections.abc import Callable

from django.db import close_old_connections

logger = logging.getLogger(__name__)

#: If the success of a task cannot be stored, the process tries again after each of these delays in seconds.
SUCCESS_DELAYS: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)


def store_success(
    store: Callable[[], object], *, work: str, errors: tuple[type[Exception], ...] = (Exception,)
) -> None:
    """Call `store`, which records the success of a task or a retry. Repeat the call if `store` raises one of the
    errors.

    SUCCESS_DELAYS contains the delays between the calls. Raises the error of the last call. `work` is the name that
    appears in the log.
    """
    for delay in (*SUCCESS_DELAYS, None):
        try:
            store()
        except errors:
            logger.exception("the success of %s could not be stored", work)
            close_old_connections()
            if delay is None:
                raise
            time.sleep(delay)
        else:
            return
