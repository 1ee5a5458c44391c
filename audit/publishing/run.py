"""The run that publishes the newest checkpoints in AUDIT_PUBLISH_DIRECTORY and at AUDIT_PUBLISH_URL.

Celery beat starts a run each minute.
"""

import structlog
from django.conf import settings

from audit.publishing import states
from audit.publishing.targets import PublishingFailed, Target, post, write_file
from audit.sealing import logs

log = structlog.get_logger(__name__)


def publish_all() -> int:
    """Publish the newest signed checkpoint of each log in the configured directory and at the configured URL.

    Return the number of published checkpoints.
    """
    published = 0
    for name, target, is_configured in (
        (states.DIRECTORY, write_file, settings.AUDIT_PUBLISH_DIRECTORY),
        (states.URL, post, settings.AUDIT_PUBLISH_URL),
    ):
        if is_configured:
            published += _publish(name, target)
        else:
            states.forget_target(name)
    return published


def _publish(name: str, target: Target) -> int:
    published = 0
    problem: PublishingFailed | None = None
    for log_ in states.find_unpublished(name):
        last = logs.last_checkpoint(log_)
        if last is None:
            continue
        try:
            if problem is not None and problem.is_target_down:
                raise problem
            target(log_, last)
        except PublishingFailed as error:
            problem = error
            log.warning("audit.checkpoint_not_published", target=name, log=log_.origin, reason=str(error))
            states.store_failure(log_, name, error.reason)
        else:
            published += 1
            states.store_success(log_, name, last.size)
    return published
