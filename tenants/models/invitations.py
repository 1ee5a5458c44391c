"""The invitation of the first manager of a hotel. The table is only in the platform's schema."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.models.hotels import Hotel


class ManagerInvitation(models.Model):
    """An invitation by e-mail to become the first manager of a hotel. A hotel has at most one invitation.

    The link in the e-mail contains a token. `digest` is the SHA-256 digest of the newest token, so an older link is not
    valid. Before the first e-mail and after the acceptance, `digest` is null.
    """

    hotel = models.OneToOneField(
        Hotel, models.CASCADE, primary_key=True, editable=False, related_name="manager_invitation"
    )
    #: The address of the invited person. Empty after the acceptance, because the account then has the address.
    email = models.EmailField(_("e-mail"), blank=True)
    digest = models.BinaryField(max_length=32, null=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    #: The time at which the mail server accepted the newest e-mail.
    sent_at = models.DateTimeField(_("sent"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, editable=False)
    #: The class of the error if the newest e-mail could not be sent, or an empty text.
    error = models.CharField(_("error"), max_length=100, blank=True, editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return self.email
