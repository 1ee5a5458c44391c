"""The model of redrives: jobs that retry or discard very many failures."""

from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from audit.recording.origin import actor_from_json
from hotelagent.core.ids import uuid7

#: An id that is less than the ids of all failures.
NO_ID = UUID(int=0)


class RedriveAction(models.TextChoices):
    RETRY = "retry", _("retry")
    DISCARD = "discard", _("discard")


class RedriveStatus(models.TextChoices):
    """The status of a redrive job.

    During the canary phase, only the first failures are retried. The other failures are retried only if all of these
    retries succeed. A redrive is stopped if the system ended it early, and cancelled if a person ended it.
    """

    CANARY = "canary", _("trial")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    FINISHED = "finished", pgettext_lazy("redrive", "finished")
    STOPPED = "stopped", pgettext_lazy("redrive", "stopped")
    CANCELLED = "cancelled", pgettext_lazy("redrive", "cancelled")


#: Statuses in which a redrive job processes failures.
ACTIVE_STATUSES = (RedriveStatus.CANARY, RedriveStatus.RUNNING)
#: Statuses of redrive jobs that have not ended.
UNFINISHED_STATUSES = (*ACTIVE_STATUSES, RedriveStatus.PAUSED)


class StopReason(models.TextChoices):
    """The reason why the system stopped a redrive job."""

    CANARY = (
        "canary",
        _("One of the first retries failed, so the other failures were not retried."),
    )
    FAILURE_RATE = "failure_rate", _("The percentage of failed retries exceeded the limit of the redrive.")
    RESTORED = "restored", _("The hotel was restored from a backup while the redrive was running.")


class RedriveResult(models.TextChoices):
    """The result of a redrive job for one failure: the outcome of the retry, or the reason why it was not retried."""

    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    LOST = "lost", _("lost")
    WAITING = "waiting", _("waiting for a worker")
    WITHDRAWN = "withdrawn", _("withdrawn, because the redrive was paused or ended")
    CLOSED = "closed", _("closed before the retry began")
    DISCARDED = "discarded", _("discarded")
    # The reasons why a redrive job refuses a failure.
    ALREADY_RUNNING = "already_running", _("refused: another retry was running")
    NO_HANDLER = "no_handler", _("refused: no worker can retry the failure")
    UNREADABLE = "unreadable", _("refused: the payload cannot be restored")
    INVALID_PAYLOAD = "invalid_payload", _("refused: the payload does not match its schema")
    IN_DOUBT = "in_doubt", _("refused: the work may have been done, and must not be done twice")
    OVERTAKEN = "overtaken", _("refused: newer work with the same ordering key has succeeded")
    ORDERING_KEY = (
        "ordering_key",
        _("refused: an older failure with the same ordering key waits for a person"),
    )


REFUSALS = (
    RedriveResult.ALREADY_RUNNING,
    RedriveResult.NO_HANDLER,
    RedriveResult.UNREADABLE,
    RedriveResult.INVALID_PAYLOAD,
    RedriveResult.IN_DOUBT,
    RedriveResult.OVERTAKEN,
    RedriveResult.ORDERING_KEY,
)


class Redrive(models.Model):
    """A job that retries or discards the failures of a selection, each of them once.

    A redrive processes the failures that existed and were open when the redrive started, in the order of their ids.
    `last_id` is the id of the newest failure at the start of the redrive. `cursor` is the id of the last failure that
    the redrive has reached. One transaction schedules a batch of failures and changes the cursor.

    `succeeded` and `failed` are the results that were known when the redrive last made progress. The results are
    counted from the attempts, so concurrent workers never wait for a lock on the redrive.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.CharField(_("action"), max_length=7, choices=RedriveAction, default=RedriveAction.RETRY)
    status = models.CharField(_("status"), max_length=9, choices=RedriveStatus)
    #: The JSON form of a `FailureSelection`.
    selection = models.JSONField(_("filter"))
    discard_reason = models.CharField(_("discard reason"), max_length=300, blank=True)
    confirm_in_doubt = models.BooleanField(
        _("retry failures in doubt"),
        default=False,
        help_text=_("Also retry work that may have been done and must not be done twice."),
    )
    rate = models.PositiveIntegerField(
        _("retries per minute"), null=True, blank=True, help_text=_("Leave blank for no limit.")
    )
    canary = models.PositiveSmallIntegerField(
        _("trial"),
        default=0,
        help_text=_(
            "Number of failures to retry first. The other failures are retried only if all these retries succeed."
        ),
    )
    max_failure_rate = models.PositiveSmallIntegerField(
        _("stop at failure rate"),
        null=True,
        blank=True,
        help_text=_("The redrive stops if more than this percentage of the retries fails."),
    )
    #: The number of failures that matched when the redrive job started, or null if counting took too long.
    matched = models.PositiveIntegerField(_("matching failures"), null=True)
    last_id = models.UUIDField(editable=False)
    cursor = models.UUIDField(default=NO_ID, editable=False)
    scheduled = models.PositiveIntegerField(_("scheduled"), default=0)
    #: The number of scheduled retries that were withdrawn before an attempt began.
    withdrawn = models.PositiveIntegerField(_("withdrawn"), default=0)
    discarded = models.PositiveIntegerField(_("discarded"), default=0)
    #: The number of refused failures by reason (`RedriveResult`).
    refused = models.JSONField(_("refused"), default=dict)
    succeeded = models.PositiveIntegerField(_("succeeded"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    stop_reason = models.CharField(_("reason"), max_length=12, choices=StopReason, blank=True)
    #: The actor that requested the redrive job, as `audit.services.actor_as_json` returns it.
    actor = models.JSONField(_("requested by"), editable=False)
    started_at = models.DateTimeField(_("started"), editable=False)
    #: A redrive job with a limited rate schedules no further retry before this time.
    paced_until = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)

    class Meta:
        verbose_name = _("redrive")
        verbose_name_plural = _("redrives")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.get_status_display()}"

    @property
    def actor_label(self) -> str:
        return actor_from_json(self.actor).label

    @property
    def is_retry(self) -> bool:
        return self.action == RedriveAction.RETRY

    @property
    def has_covered_all(self) -> bool:
        """Return whether the redrive job has reached the last failure that existed when the redrive job started."""
        return self.cursor == self.last_id

    @property
    def refused_count(self) -> int:
        return sum(self.refused.values())
