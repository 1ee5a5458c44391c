"""Webhooks and what is delivered to them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json


class Webhook(models.Model):
    """An address of another system that is told of changes, signed with a secret that it shares with us."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(_("URL"), max_length=500)
    events = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    encrypted_secret = models.BinaryField(editable=False)
    """The secret as `locks.webhooks.sealing` seals it: it must be readable to sign, so it can't be a digest."""
    encrypted_previous_secret = models.BinaryField(null=True, editable=False)
    previous_secret_expires_at = models.DateTimeField(
        _("previous secret valid until"), null=True, editable=False
    )
    """After a rotation the one before signs as well, until then: the other side takes over the new one meanwhile."""
    active = models.BooleanField(_("active"), default=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    backoff_until = models.DateTimeField(null=True, editable=False)
    """After a failure it is left alone until then: one that hangs must not keep the workers."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.url


class WebhookDeliveryStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PAUSED = "paused", _("paused")
    """Its webhook was switched off before it was sent: it waits until that is on again."""
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


class WebhookDelivery(models.Model):
    """One change that one webhook is told of, written in the transaction of the change. No token, no guest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, db_index=False, verbose_name=_("webhook"))
    event = models.CharField(_("event"), max_length=40)
    data = models.JSONField(_("data"))
    status = models.CharField(
        _("status"), max_length=7, choices=WebhookDeliveryStatus, default=WebhookDeliveryStatus.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.JSONField(_("error"), null=True)
    """As `hotelagent.core.messages` keeps it."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, editable=False)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")

    def __str__(self) -> str:
        return self.event

    @property
    def why(self) -> str:
        """Why it was not taken the last time, to a reader."""
        return message_from_json(self.error)
