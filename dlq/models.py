"""The models of the dead-letter queue: failures, and the attempts to process each of them."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json


class FailureKind(models.TextChoices):
    TASK = "task", _("task")
    MESSAGE = "message", _("message")


class FailureStatus(models.TextChoices):
    """The status of a failure.

    Scheduled and retrying failures are retried automatically. A permanent failure waits until a person retries or
    discards it.
    """

    SCHEDULED = "scheduled", _("scheduled")
    RETRYING = "retrying", _("retrying")
    RESOLVED = "resolved", _("resolved")
    PERMANENT = "permanent", _("permanent")
    DISCARDED = "discarded", _("discarded")


#: Statuses of failures that are neither resolved nor discarded.
OPEN_STATUSES = (FailureStatus.SCHEDULED, FailureStatus.RETRYING, FailureStatus.PERMANENT)
#: Statuses in which people can retry or discard a failure, because no worker is retrying it.
WAITING_STATUSES = (FailureStatus.SCHEDULED, FailureStatus.PERMANENT)


class Failure(models.Model):
    """A task or message that failed, with its payload and its latest error. Earlier errors are stored in its attempts.

    `retries` is the number of started retries. It is also the fencing token of the running attempt: the attempt can
    record its result only if the number has not changed since it started.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=7, choices=FailureKind)
    source = models.CharField(
        _("source"), max_length=100, help_text=_("The system that reported the failure.")
    )
    name = models.CharField(
        _("name"), max_length=150, help_text=_("The name of the task, or the type of the message.")
    )
    payload = models.JSONField(_("payload"), encoder=DjangoJSONEncoder)
    error_type = models.CharField(_("error"), max_length=150)
    error_message = models.TextField(_("message"))
    #: The JSON form of a translatable message (`hotelagent.core.messages`), or null.
    translatable_message = models.JSONField(null=True, editable=False)
    traceback = models.TextField(_("traceback"), blank=True)
    fingerprint = models.CharField(_("group"), max_length=16)
    status = models.CharField(_("status"), max_length=9, choices=FailureStatus)
    retries = models.PositiveSmallIntegerField(_("retries"), default=0)
    occurrences = models.PositiveIntegerField(_("occurrences"), default=1)
    next_retry_at = models.DateTimeField(_("next retry"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(
        _("retried until"), help_text=_("The failure is not retried automatically after this time.")
    )
    discard_reason = models.CharField(_("discard reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["fingerprint", "-id"], name="dlq_failure_group"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.error_type.rpartition('.')[2]}"

    @property
    def localized_message(self) -> str:
        """The error message, in the active language if a translation exists."""
        return message_from_json(self.translatable_message) or self.error_message


class AttemptOutcome(models.TextChoices):
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    LOST = "lost", _("lost")


class Attempt(models.Model):
    """An attempt to process a message or task. Number 0 is the original failure, the others are retries.

    The outcome is `lost` if the worker did not report a result before the lease expired.
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
    traceback = models.TextField(_("traceback"), blank=True)

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
        """The error message, in the active language if a translation exists."""
        return message_from_json(self.translatable_message) or self.error_message
