"""A failure, and every attempt at it."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json


class Kind(models.TextChoices):
    TASK = "task", _("task")
    MESSAGE = "message", _("message")


class Status(models.TextChoices):
    """Scheduled and retrying are live; the others stay as they are until a person acts."""

    SCHEDULED = "scheduled", _("scheduled")
    RETRYING = "retrying", _("retrying")
    RESOLVED = "resolved", _("resolved")
    PERMANENT = "permanent", _("permanent")
    DISCARDED = "discarded", _("discarded")


class Failure(models.Model):
    """A task or message that was given up, with all that is needed to send it again.

    The error is the latest one; the first, and each between, stands with its attempt. `attempts` counts the
    retries, and is the fencing token of the one that runs: whoever finishes must still hold the number it was given.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    source = models.CharField(_("source"), max_length=100, help_text=_("The system that reported it."))
    name = models.CharField(_("name"), max_length=150, help_text=_("The task, or the type of message."))
    payload = models.JSONField(_("payload"), encoder=DjangoJSONEncoder)
    error_type = models.CharField(_("error"), max_length=150)
    error_message = models.TextField(_("message"))
    #: The same as `hotelagent.core.messages` keeps it, where it is a sentence of ours.
    error_sentence = models.JSONField(null=True, editable=False)
    traceback = models.TextField(_("traceback"), blank=True)
    fingerprint = models.CharField(_("group"), max_length=16)
    status = models.CharField(_("status"), max_length=9, choices=Status)
    attempts = models.PositiveSmallIntegerField(_("retries"), default=0)
    occurrences = models.PositiveIntegerField(_("times seen"), default=1)
    next_retry_at = models.DateTimeField(_("next retry"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(
        _("retried until"), help_text=_("After this it is not retried by itself.")
    )
    discard_reason = models.CharField(_("discarded because"), max_length=300, blank=True)

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
    def why(self) -> str:
        """What the error said, to a reader: in their language where it is a sentence of ours."""
        return message_from_json(self.error_sentence) or self.error_message


class Outcome(models.TextChoices):
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    LOST = "lost", _("lost")


class Attempt(models.Model):
    """One try. Number 0 is the one that brought the failure here; a lost one never reported back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No index of its own: the unique constraint below begins with it, and each relation costs in every hotel.
    failure = models.ForeignKey(
        Failure, models.CASCADE, db_index=False, related_name="tries", verbose_name=_("failure")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    started_at = models.DateTimeField(_("started"), db_default=Now(), editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome, default=Outcome.RUNNING)
    error_type = models.CharField(_("error"), max_length=150, blank=True)
    error_message = models.TextField(_("message"), blank=True)
    error_sentence = models.JSONField(null=True, editable=False)
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
    def why(self) -> str:
        """What the error said, to a reader: in their language where it is a sentence of ours."""
        return message_from_json(self.error_sentence) or self.error_message
