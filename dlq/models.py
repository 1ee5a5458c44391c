"""The models of the dead-letter queue: failures, the attempts to process each of them, and groups of equal errors."""

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from dlq.alerts import models as _alerts  # noqa: F401 - Django finds an app's models here
from dlq.erasure import models as _erasure  # noqa: F401
from dlq.groups.models import FailureGroup, FingerprintField
from dlq.redrives import models as _redrives  # noqa: F401
from dlq.retention import models as _retention  # noqa: F401
from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from tenants.changed_rows import changed_in_column

#: The prefix of the names of failures that other systems report.
#: If a client could report a failure with the name of one of our tasks, a retry of the failure would run that task.
EXTERNAL = "external:"


class FailureStatus(models.TextChoices):
    """The status of a failure.

    Scheduled and retrying failures are retried automatically. A permanent failure waits until a person retries or
    discards it. A failure in doubt waits for a person too, because a lost attempt may already have done the work.

    The values are the words of the REST API and of developers. The labels are the words of hotel staff.
    """

    SCHEDULED = "scheduled", _("will be retried")
    RETRYING = "retrying", _("being retried")
    IN_DOUBT = "in_doubt", _("outcome unknown")
    RESOLVED = "resolved", _("done")
    PERMANENT = "permanent", _("needs a decision")
    DISCARDED = "discarded", _("discarded")


#: Statuses of failures that are neither resolved nor discarded.
OPEN_STATUSES = (
    FailureStatus.SCHEDULED,
    FailureStatus.RETRYING,
    FailureStatus.IN_DOUBT,
    FailureStatus.PERMANENT,
)
#: Statuses of failures that wait until a person retries or discards them.
DECISION_STATUSES = (FailureStatus.PERMANENT, FailureStatus.IN_DOUBT)
#: Statuses of failures that are retried automatically.
RETRIED_STATUSES = (FailureStatus.SCHEDULED, FailureStatus.RETRYING)
#: Statuses in which staff can retry or discard a failure, because no attempt is running.
WAITING_STATUSES = (FailureStatus.SCHEDULED, FailureStatus.IN_DOUBT, FailureStatus.PERMANENT)
#: Statuses of closed failures, which need no further attempt.
CLOSED_STATUSES = (FailureStatus.RESOLVED, FailureStatus.DISCARDED)


class BlockingFailure(models.Func):
    """A database expression for the id of the older failure with the same ordering key that must be closed first.

    The value is null if the failure does not have to wait for another failure.
    """

    function = "dlq_blocking_failure"
    output_field = models.UUIDField()

    def __init__(self) -> None:
        super().__init__("id", "ordering_key")


class WithTraceback(models.QuerySet[Any]):
    """A queryset that can annotate failures or attempts with their `traceback`, which is stored in `FailureGroup`.

    The queryset can also annotate failures with `waits_for`, the id of an older failure that must be closed first.
    """

    def with_traceback(self) -> Any:
        group = FailureGroup.objects.filter(fingerprint=models.OuterRef("fingerprint"))
        return self.annotate(traceback=models.Subquery(group.values("traceback")))

    def with_waits_for(self) -> Any:
        """Annotate scheduled failures with the id of the older failure that must be closed first, or None."""
        scheduled = models.When(status=FailureStatus.SCHEDULED, then=BlockingFailure())
        return self.annotate(waits_for=models.Case(scheduled, output_field=models.UUIDField()))


class Failure(models.Model):
    """A task or message that failed, with its payload and its latest error. Earlier errors are stored in its attempts.

    `work_key` identifies the work that failed. One failure per work key can be open: if the work fails again, the open
    failure is updated. `attempt` is the number of the latest attempt, and the fencing token of a running attempt: the
    attempt can record its result only if the number has not changed since it started. `retries` is the number of
    started retries.

    A person can correct the payload. `corrected_payload` is the last correction and replaces `payload` in all attempts.
    `corrected_secrets` replaces `secrets`. `payload` is never changed. `corrections` is the number of corrections.

    If JSON cannot hold the payload exactly, `original` contains the bytes of the payload, `original_type` their media
    type, and `payload` a readable approximation.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    is_task = models.BooleanField(
        _("is a task"),
        help_text=_("True if a Celery task failed. False if a message could not be processed."),
    )
    source = models.CharField(
        _("source"), max_length=100, help_text=_("The system that reported the failure.")
    )
    name = models.CharField(
        _("name"), max_length=150, help_text=_("The name of the task, or the type of the message.")
    )
    work_key = models.CharField(max_length=100, editable=False)
    ordering_key = models.CharField(
        max_length=100,
        blank=True,
        editable=False,
        help_text=_("Failures with the same ordering key are retried one at a time, oldest first."),
    )
    payload = models.JSONField(_("payload"))
    original = models.BinaryField(null=True, editable=False)
    original_type = models.CharField(max_length=100, blank=True, editable=False)
    #: The values of the secret fields, encrypted. The payload contains a placeholder for each of them.
    secrets = models.BinaryField(null=True, editable=False)
    corrected_payload = models.JSONField(null=True, editable=False)
    corrected_secrets = models.BinaryField(null=True, editable=False)
    corrections = models.PositiveSmallIntegerField(db_default=0, editable=False)
    error_type = models.CharField(_("error"), max_length=150)
    error_message = models.TextField(_("message"))
    #: The JSON form of a translatable message (`hotelagent.core.messages`), or null.
    translatable_message = models.JSONField(null=True, editable=False)
    fingerprint = FingerprintField(_("group"))
    status = models.CharField(_("status"), max_length=9, choices=FailureStatus)
    #: Whether the work can safely be done twice, as declared by the external handler that claims the failure.
    #: If the value is null, no external handler has claimed the failure, and the declaration of its kind applies.
    is_idempotent = models.BooleanField(null=True, editable=False)
    retries = models.PositiveSmallIntegerField(_("retries"), default=0)
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)
    occurrences = models.PositiveIntegerField(_("occurrences"), default=1)
    next_retry_at = models.DateTimeField(_("next retry"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(
        _("retried until"), help_text=_("The failure is not retried automatically after this time.")
    )
    #: The time at which the error occurred again after the failure had become permanent. Only the first time is stored.
    #: A retry that a person requests sets `regressed_at` to null.
    regressed_at = models.DateTimeField(_("failed again"), null=True, editable=False)
    #: A retry that a person requests sets `overtaken_at` to null.
    overtaken_at = models.DateTimeField(
        _("overtaken"),
        null=True,
        editable=False,
        help_text=_(
            "The time at which newer work with the same ordering key succeeded. The failure waits for a person."
        ),
    )
    closed_at = models.DateTimeField(_("closed"), null=True, editable=False)
    discard_reason = models.CharField(_("discard reason"), max_length=300, blank=True)
    #: The id of the Celery task whose failure was stored. Retries of the task have other ids.
    task_id = models.CharField(_("task id"), max_length=64, blank=True)
    #: The id of the HTTP request that started the failed task or sent the failed message.
    request_id = models.CharField(_("request id"), max_length=100, blank=True)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    changed_in = changed_in_column()
    #: The id of the latest redrive job that reached the failure, and what the redrive did (`RedriveResult`).
    #: If a worker claims the failure for the redrive job, the id of the redrive is moved to the attempt.
    redrive = models.UUIDField(null=True, editable=False)
    redrive_result = models.CharField(max_length=16, blank=True, db_default="", default="", editable=False)
    #: The status that the failure had before the redrive job scheduled it.
    redrive_was = models.CharField(max_length=9, blank=True, db_default="", default="", editable=False)

    objects = WithTraceback.as_manager()

    #: The title of the failed work, such as "Reminder for Ana Lima". The admin sets the title of displayed failures.
    title = ""

    class Meta:
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["fingerprint", "-id"], name="dlq_failure_group"),
            models.Index(
                fields=["ordering_key", "id"],
                condition=models.Q(ordering_key__gt="", status__in=OPEN_STATUSES),
                name="dlq_failure_ordering_key",
            ),
            # The admin list shows these failures, newest first, when it is opened without a filter.
            models.Index(
                fields=["id"], condition=models.Q(status__in=DECISION_STATUSES), name="dlq_failure_decision"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["work_key"],
                condition=models.Q(status__in=OPEN_STATUSES),
                name="dlq_failure_work_key",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"{self.name}: {self.error_type.rpartition('.')[2]}"

    @property
    def version(self) -> str:
        """The version number of the payload and the status. REST clients send it in `If-Match` with a correction."""
        return f"{self.attempt}-{self.corrections}-{self.status}"

    @property
    def localized_message(self) -> str:
        """Return the error message, in the active language if a translation exists."""
        return message_from_json(self.translatable_message) or self.error_message

    @property
    def idempotency_key(self) -> str:
        """Return a key that is the same for all attempts of this work, including the original attempt of a Celery task.

        A handler passes the key to external systems, so that these systems do not do the same work twice.
        """
        return self.task_id or str(self.id)


class AttemptOutcome(models.TextChoices):
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    LOST = "lost", _("lost")


class Attempt(models.Model):
    """An attempt to process a message or task. Number 0 is the original failure.

    The other attempts are retries. If the same work fails again while the failure is permanent, the new error is stored
    as an attempt, too. The outcome is `lost` if the worker did not report a result before the lease expired.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # `db_index=False`, because the index of the unique constraint on `failure` and `number` is used instead.
    failure = models.ForeignKey(
        Failure, models.CASCADE, db_index=False, related_name="attempts", verbose_name=_("failure")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    started_at = models.DateTimeField(_("started"), db_default=Now(), editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)
    outcome = models.CharField(
        _("outcome"), max_length=9, choices=AttemptOutcome, default=AttemptOutcome.RUNNING
    )
    error_type = models.CharField(_("error"), max_length=150, blank=True)
    error_message = models.TextField(_("message"), blank=True)
    translatable_message = models.JSONField(null=True, editable=False)
    fingerprint = FingerprintField(_("group"), blank=True)
    #: The name of the Celery worker that made the attempt, and the version of the worker's code (`CODE_VERSION`).
    worker = models.CharField(_("worker"), max_length=200, blank=True)
    code_version = models.CharField(_("code version"), max_length=40, blank=True)
    #: The redrive job that requested the attempt.
    redrive = models.UUIDField(null=True, editable=False)

    objects = WithTraceback.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["failure", "number"], name="dlq_attempt_number"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.get_outcome_display()}"

    @property
    def localized_message(self) -> str:
        """Return the error message, in the active language if a translation exists."""
        return message_from_json(self.translatable_message) or self.error_message
