"""Hotels, their domains and the contacts of their guests."""

from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.time_zones import validate_time_zone
from tenants.context import Tenant
from tenants.languages import language_name


class HotelStatus(models.TextChoices):
    """The status of a hotel. Requests and tasks are processed for active hotels only."""

    PROVISIONING = "provisioning", _("provisioning")
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")
    ARCHIVED = "archived", _("archived")


class Language(models.TextChoices):
    """A language of the admin. Each label is the name of the language in that language."""

    ENGLISH = "en", language_name("en")
    SPANISH = "es", language_name("es")


def role_name(hotel_id: UUID) -> str:
    """Return the name of a hotel's PostgreSQL role."""
    return f"hotel_{hotel_id.hex}"


class Hotel(models.Model):
    """A hotel, which is a tenant. Its schema and role keep their names when the hotel's slug changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(
        _("slug"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")],
        help_text=_(
            "The first part of the hotel's host name. Use lowercase letters, digits and hyphens. After a change, staff "
            "and API clients must use the new host name. Links in e-mails that guests have already received keep "
            "working until another hotel uses the old host name."
        ),
    )
    name = models.CharField(_("name"), max_length=200)
    status = models.CharField(
        _("status"), max_length=12, choices=HotelStatus, default=HotelStatus.PROVISIONING
    )
    schema = models.CharField(_("schema"), max_length=63, unique=True, editable=False)
    #: The time zone is validated only on writes. A process that does not know the time zone can still read the row.
    time_zone = models.CharField(
        _("time zone"), max_length=63, default="UTC", validators=[validate_time_zone]
    )
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.ENGLISH)
    #: A digest of the names of the migrations that are applied to the schema. Empty while migrations run.
    schema_version = models.CharField(max_length=32, default="", db_default="", editable=False)
    email = models.EmailField(
        _("e-mail"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Guests' replies to the hotel's e-mails are sent to this address."),
    )
    require_two_factor = models.BooleanField(
        _("require two-factor authentication"), default=False, db_default=False, editable=False
    )
    #: The host names that the hotel used before. Host names that another hotel uses now are not included.
    #: Links to these host names in old e-mails to guests still work.
    former_hosts = ArrayField(models.CharField(max_length=253), default=list, db_default=[], editable=False)
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
        """Return the name of the PostgreSQL role that has privileges on this hotel's schema only.

        The name contains the hotel's id, so the name is unique on the database server. The row-level security policies
        of the shared tables compare the name with `current_user`.
        """
        return role_name(self.id)

    @property
    def tenant(self) -> Tenant:
        """Return the Tenant object of this hotel, which `hotel_context()` and the database backend need."""
        return Tenant(
            id=self.id,
            slug=self.slug,
            schema=self.schema,
            role=self.role if settings.DATABASE_ROLES else None,
            name=self.name,
            time_zone=self.time_zone,
            language=self.language,
            status=self.status,
            email=self.email,
            require_two_factor=self.require_two_factor,
        )


class Domain(models.Model):
    """A custom domain of a hotel. The host `<slug>.<platform host>` always works and is not stored here."""

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
    PHONE = "phone", _("phone number")
    EMAIL = "email", _("e-mail address")


class ContactIdentifier(models.Model):
    """A guest's phone number (E.164) or e-mail address (lowercase), and the hotel that it belongs to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hotel = models.ForeignKey(Hotel, models.CASCADE, related_name="contacts", verbose_name=_("hotel"))
    kind = models.CharField(_("kind"), max_length=5, choices=ContactKind)
    value = models.CharField(_("value"), max_length=254)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("guest contact")
        verbose_name_plural = _("guest contacts")
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="tenants_contact_unique"),
            # Lookups use the normalized form, so a value that is not normalized would never be found.
            models.CheckConstraint(
                condition=models.Q(kind="phone", value__regex=r"^\+[1-9][0-9]+$")
                | models.Q(kind="email", value__regex=r"^[^A-Z\s]+@[^A-Z\s]+$"),
                name="tenants_contact_normalized",
            ),
        ]

    def __str__(self) -> str:
        return self.value
