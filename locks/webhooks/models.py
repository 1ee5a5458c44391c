"""The models of webhooks and their deliveries."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json


class Webhook(models.Model):
    """A URL of another system that receives events. Each request is signed with a shared secret."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(_("URL"), max_length=500)
    events = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    encrypted_secret = models.BinaryField(editable=False)
    """The signing secret. Encrypted and not hashed, because signing needs its plain text."""
    encrypted_previous_secret = models.BinaryField(null=True, editable=False)
    """The secret before the last rotation. Until `previous_secret_expires_at`, requests are signed with both."""
    previous_secret_expires_at = models.DateTimeField(
        _("previous secret valid until"), null=True, editable=False
    )
    active = models.BooleanField(_("active"), default=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    """The time of the first failed attempt since the last successful one."""
    backoff_until = models.DateTimeField(null=True, editable=False)
    """No requests until then, so that a server that hangs does not occupy the workers."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.url


class WebhookDeliveryStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PAUSED = "paused", _("paused")
    """The webhook is off. The delivery is sent when the webhook is turned on again."""
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


class WebhookDelivery(models.Model):
    """One event that is sent to one webhook. The row is inserted in the transaction that causes the event.

    `data` contains no token of a hold and no personal data of a guest.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, db_index=False, verbose_name=_("webhook"))
    event = models.CharField(_("event"), max_length=40)
    data = models.JSONField(_("data"))
    status = models.CharField(
        _("status"), max_length=7, choices=WebhookDeliveryStatus, default=WebhookDeliveryStatus.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.JSONField(_("error"), null=True)
    """Why the last attempt failed, in the format of `hotelagent.core.messages`."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, editable=False)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")

    def __str__(self) -> str:
        return self.event

    @property
    def error_message(self) -> str:
        """The reason for the failure of the last attempt, in the current language."""
        return message_from_json(self.error)
