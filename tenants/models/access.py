"""Staff, API keys and stored responses. These tables exist in each hotel's schema and in the platform's schema."""

import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from tenants.models.hotels import Language
from tenants.scopes import Role, permission_scope, role_scopes


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__iexact=username)

    def create_user(self, *, username: str, password: str | None, role: str, **fields: object) -> "User":
        """Create a member of staff. With `password=None` the account cannot log in until a password is set."""
        user = self.model(username=username, role=role, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A staff account of a hotel or of the platform. The accounts of a hotel are stored in the hotel's schema."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(_("user name"), max_length=150)
    full_name = models.CharField(_("full name"), max_length=150, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role)
    language = models.CharField(_("language"), max_length=2, choices=Language, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    #: Time of the last deactivation. Older sessions stay invalid, even if the account is activated again.
    deactivated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")
        constraints = [
            models.UniqueConstraint(Lower("username"), name="tenants_user_username_unique"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        update_fields = options.get("update_fields")
        if not self.is_active and (update_fields is None or "is_active" in update_fields):
            self.deactivated_at = timezone.now()
            if update_fields is not None:
                options["update_fields"] = {*update_fields, "deactivated_at"}
        super().save(*args, **options)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the hash that the user's sessions must contain. A new password or a deactivation changes the hash."""
        digest: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{digest}:{self.deactivated_at.timestamp()}" if self.deactivated_at else digest

    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def scopes(self) -> frozenset[str]:
        return role_scopes(self.role)

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """Return whether the user's role has the scope that corresponds to Django's permission `perm`."""
        return self.is_active and permission_scope(perm) in self.scopes

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active


class ApiKey(models.Model):
    """The key of an API client. The secret has 256 random bits and is stored as its SHA-256 digest."""

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
        # With `unique=True`, Django would create an index for LIKE queries in addition to the unique index.
        constraints = [models.UniqueConstraint(fields=["prefix"], name="tenants_apikey_prefix_unique")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_active(self, *, now: datetime.datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotencyKey(models.Model):
    """The stored response to a POST request with an `Idempotency-Key`.

    `id` is a digest of the client, the URL and the key. `response` is encrypted with a key that is derived from the
    Idempotency-Key itself, which is not stored.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    body_digest = models.BinaryField(max_length=32)
    status_code = models.PositiveSmallIntegerField()
    response = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="tenants_idempotencykey_created")]
