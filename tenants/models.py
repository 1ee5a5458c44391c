"""What is stored about hotels, their staff and their clients. Where each table lives: `tenants.placement`."""

import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _
from timezone_field import TimeZoneField

from hotelagent.ids import uuid7
from tenants.context import Scope
from tenants.scopes import Role, permission_scope, role_scopes


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
    def scope(self) -> Scope:
        """What `hotel_context` and the database backend need to know of this hotel."""
        return Scope(
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
        ]


class DueItem(models.Model):
    """ "Hotel H has item I of kind K due at T": the one table that the tick looks at. No personal data.

    `due_at` is when the item is due; `claim_at` is when it may next be handed out: the same moment at
    first, the end of the lease once it is claimed.
    """

    pk = models.CompositePrimaryKey("hotel_id", "kind", "item_id")
    # Not judged by the database: all who make something due would lock the hotel's one row at the same time, and the
    # policy of the table lets a hotel write its own id alone.
    hotel = models.ForeignKey(Hotel, models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=20)
    item_id = models.UUIDField()
    due_at = models.DateTimeField()
    claim_at = models.DateTimeField()
    claims = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["claim_at"], name="tenants_dueitem_claim_at")]


class Template(models.Model):
    """The script that makes a hotel, kept by `migrate`: pg_dump's text of the template schema. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    script = models.TextField()
    #: What `Hotel.migrated` of a hotel made from it says.
    migrated = models.CharField(max_length=32)
    updated_at = models.DateTimeField(db_default=Now())


class RoutingVersion(models.Model):
    """Grows with each change of what a host leads to: a trigger sees to it. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.BigIntegerField()


class Lease(models.Model):
    """Who leads, of several processes that stand ready, and until when. The database's clock judges."""

    name = models.CharField(primary_key=True, max_length=40)
    holder = models.CharField(max_length=200)
    expires_at = models.DateTimeField()


class Redelivery(models.Model):
    """How often a task's message came back because its worker died. No row in the ordinary case."""

    task_id = models.UUIDField(primary_key=True)
    deliveries = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__iexact=username)

    def create_user(self, *, username: str, password: str | None, role: str, **fields: object) -> "User":
        """Store a member of staff; `password=None` makes an account that can't log in yet."""
        user = self.model(username=username, role=role, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A member of staff: of the hotel in whose schema the row stands, or of the platform."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(_("user name"), max_length=150)
    full_name = models.CharField(_("full name"), max_length=150, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role)
    language = models.CharField(_("language"), max_length=2, choices=Language, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"

    class Meta:
        verbose_name = _("member of staff")
        verbose_name_plural = _("staff")
        constraints = [
            models.UniqueConstraint(Lower("username"), name="tenants_user_username_unique"),
        ]

    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def scopes(self) -> frozenset[str]:
        return role_scopes(self.role)

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """Whether the role holds the scope that stands for Django's permission `perm`."""
        return self.is_active and permission_scope(perm) in self.scopes

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002
        return self.is_active


class ApiKey(models.Model):
    """A client's key. The secret is shown once and stored as a SHA-256 digest: it has 256 random bits."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    digest = models.BinaryField(_("digest"), max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        # Not unique=True: that makes a second index, for LIKE, in each hotel.
        constraints = [models.UniqueConstraint(fields=["prefix"], name="tenants_apikey_prefix_unique")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_live(self, *, now: datetime.datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotencyKey(models.Model):
    """The stored answer to a POST, so that the same key gives the same answer.

    `id` is made from the client, the address and the key; `answer` is encrypted with a key that only the
    client's Idempotency-Key yields, for an answer may hold a token that is shown once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    request_digest = models.BinaryField(max_length=32)
    status_code = models.PositiveSmallIntegerField()
    answer = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="tenants_idempotencykey_created")]
