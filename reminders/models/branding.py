"""The e-mail branding of a hotel."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _


class EmailBranding(models.Model):
    """The colour and the logo of the hotel's e-mails and guest pages.

    A hotel has one row with id 1, or no row until the first change of the branding.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    colour = models.CharField(_("colour"), max_length=7, default="#1f4e5f")
    logo = models.BinaryField(_("logo"), default=b"")
    logo_type = models.CharField(max_length=10, blank=True, default="", editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)
    #: The digest is part of the logo URL. A new logo gets a new URL, so each URL can be cached forever.
    logo_digest = models.CharField(max_length=16, blank=True, default="", editable=False)
    #: A digest of this row, set by a database trigger. Workers compare digests to detect outdated cached rows.
    revision = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        verbose_name = _("e-mail branding")
        verbose_name_plural = _("e-mail branding")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="reminders_emailbranding_is_single_row"),
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-f]{6}$"), name="reminders_emailbranding_colour"
            ),
        ]

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))

    @classmethod
    def of_current_hotel(cls) -> "EmailBranding":
        """Return the branding of the current hotel without the content of the logo.

        If the hotel has no row, return an unsaved instance with the default colour and without a logo.
        """
        return cls.objects.defer("logo").first() or cls()
