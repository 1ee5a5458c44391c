"""How mails look."""

from django.db import models
from django.db.models import Q
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _


class Brand(models.Model):
    """How the hotel's mails and its pages for guests look: one row, which comes with the hotel."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    colour = models.CharField(_("colour"), max_length=7, default="#1f4e5f")
    logo = models.BinaryField(_("logo"), default=b"")
    logo_type = models.CharField(max_length=10, blank=True, default="", editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)
    #: In the logo's address: a new logo has a new one, so each may be cached for ever.
    logo_digest = models.CharField(max_length=16, blank=True, default="", editable=False)
    #: A digest of the rules, the templates and this row, written by triggers (migration 0003_brand).
    revision = models.UUIDField(null=True, editable=False)

    class Meta:
        verbose_name = _("looks of the mails")
        verbose_name_plural = _("looks of the mails")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="reminders_brand_is_one"),
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-f]{6}$"), name="reminders_brand_colour"
            ),
        ]

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))
