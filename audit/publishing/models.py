"""The table of the auditors to whom checkpoints are sent by e-mail."""

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from tenants.models import Language
from tenants.models.tenant_rows import TenantRow, TenantRowManager


class Auditor(TenantRow):
    """The e-mail address of the auditor of a hotel, or of the platform. Without an address, no e-mail is sent."""

    email = models.EmailField(
        _("auditor's e-mail address"),
        blank=True,
        help_text=_(
            "The newest checkpoint of the audit trail is sent to this address at most once a day, if it is new. Leave "
            "blank to send no e-mail."
        ),
    )
    language = models.CharField(
        _("language of the e-mail"), max_length=2, choices=Language, default=Language.ENGLISH
    )

    objects = TenantRowManager()
    #: The manager for the task that sends the e-mails of all tenants. The task runs in the platform's context.
    all_tenants = models.Manager()

    class Meta(TenantRow.Meta):
        verbose_name = _("publication of the audit trail")
        verbose_name_plural = _("publication")

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))
