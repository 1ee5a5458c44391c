"""The decisions of a hotel's managers about the steps of the set-up."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant_rows import TenantRow, TenantRowManager


class SetupProgress(TenantRow):
    """The decisions of the managers about the set-up of their hotel.

    `confirmed_steps` are the completed steps that no other table shows, such as a test e-mail. `skipped_steps` are the
    steps that the hotel does not need. If `is_hidden` is true, the start page does not show the checklist.
    """

    confirmed_steps = ArrayField(models.CharField(max_length=20), default=list, blank=True, editable=False)
    skipped_steps = ArrayField(models.CharField(max_length=20), default=list, blank=True, editable=False)
    is_hidden = models.BooleanField(default=False, editable=False)

    objects = TenantRowManager()

    class Meta(TenantRow.Meta):
        verbose_name = _("set-up")
        verbose_name_plural = _("set-up checklist")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
