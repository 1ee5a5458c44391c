"""The times during which the platform's staff act in hotels. The table is only in the platform's schema."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from tenants.models.hotels import Hotel
from tenants.scopes import Role


class SupportSession(models.Model):
    """A time during which one member of the platform's staff may act in one hotel, with a reason and a role.

    The person opens the hotel's admin with a link that can be used once. `digest` is the SHA-256 digest of the link's
    token. After the link was used, `digest` is null.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hotel = models.ForeignKey(Hotel, models.CASCADE, related_name="+", verbose_name=_("hotel"))
    #: The id of the person's account of the platform. An account of the hotel does not exist.
    user_id = models.UUIDField(_("person"), editable=False)
    reason = models.CharField(_("reason"), max_length=500)
    role = models.CharField(_("role"), max_length=20, choices=Role)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    digest = models.BinaryField(max_length=32, null=True, editable=False)
    #: The time until which the link can be used.
    open_until = models.DateTimeField(editable=False)
    opened_at = models.DateTimeField(_("opened"), null=True, editable=False)
    expires_at = models.DateTimeField(_("end"), editable=False)
    #: The time at which the person ended the session before `expires_at`.
    ended_at = models.DateTimeField(_("ended early"), null=True, editable=False)

    class Meta:
        verbose_name = _("support session")
        verbose_name_plural = _("support sessions")
        indexes = [models.Index(fields=["user_id"], name="tenants_supportsession_user")]

    def __str__(self) -> str:
        return f"{self.hotel_id} {self.created_at:%Y-%m-%d %H:%M}"
