"""Hotels, and what leads to them."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _
from timezone_field import TimeZoneField

from hotelagent.core.ids import uuid7
from tenants.context import Tenant


class HotelStatus(models.TextChoices):
    """Only an active hotel is served and scheduled; a suspended one answers that it is closed."""

    PROVISIONING = "provisioning", _("provisioning")
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")
    ARCHIVED = "archived", _("archived")


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    SPANISH = "es", _("Spanish")


class Hotel(models.Model):
    """A tenant. Its schema and its role are named once, when it is made, and never renamed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(
        _("slug"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")],
        help_text=_("Its name in the address: lower-case letters, digits and hyphens."),
    )
    name = models.CharField(_("name"), max_length=200)
    status = models.CharField(
        _("status"), max_length=12, choices=HotelStatus, default=HotelStatus.PROVISIONING
    )
    schema = models.CharField(_("schema"), max_length=63, unique=True, editable=False)
    time_zone = TimeZoneField(_("time zone"), default="UTC", use_pytz=False)
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.ENGLISH)
    #: A digest of the migrations that its schema has, empty while they change: who is behind is one query.
    migrated = models.CharField(max_length=32, default="", db_default="", editable=False)
    email = models.EmailField(
        _("e-mail"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Where guests' answers to its mails go."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("hotel")
        verbose_name_plural = _("hotels")
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(Lower("slug"), name="tenants_hotel_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        """The PostgreSQL role that may touch this hotel's schema and nothing else.

        Named by the hotel's id: unique in the whole cluster, and readable by the row-level policies of the
        shared tables, which compare it with `current_user`.
        """
        return f"hotel_{self.id.hex}"

    @property
    def tenant(self) -> Tenant:
        """What `hotel_context` and the database backend need to know of this hotel."""
        return Tenant(
            id=self.id,
            slug=self.slug,
            schema=self.schema,
            role=self.role if settings.DATABASE_ROLES else None,
            name=self.name,
            time_zone=str(self.time_zone),
            language=self.language,
            status=self.status,
            email=self.email,
        )


class Domain(models.Model):
    """A domain of a hotel's own. `<slug>.<platform host>` always works and needs no row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hotel = models.ForeignKey(Hotel, models.CASCADE, related_name="domains", verbose_name=_("hotel"))
    host = models.CharField(_("host"), max_length=253)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["host"]
        constraints = [
            models.UniqueConstraint(Lower("host"), name="tenants_domain_host_unique"),
        ]

    def __str__(self) -> str:
        return self.host


class ContactKind(models.TextChoices):
    PHONE = "phone", _("phone")
    EMAIL = "email", _("e-mail")


class ContactIdentifier(models.Model):
    """A guest's phone (E.164) or e-mail (lower case), and the hotel it belongs to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hotel = models.ForeignKey(Hotel, models.CASCADE, related_name="contacts", verbose_name=_("hotel"))
    kind = models.CharField(_("kind"), max_length=5, choices=ContactKind)
    value = models.CharField(_("value"), max_length=254)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("contact identifier")
        verbose_name_plural = _("contact identifiers")
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="tenants_contact_unique"),
            # A row in another form would be found by nobody, and could stand beside the one in the right form.
            models.CheckConstraint(
                condition=models.Q(kind="phone", value__regex=r"^\+[1-9][0-9]+$")
                | models.Q(kind="email", value__regex=r"^[^A-Z\s]+@[^A-Z\s]+$"),
                name="tenants_contact_normalised",
            ),
        ]

    def __str__(self) -> str:
        return self.value
