"""Staff, sessions, API keys and stored responses. Each hotel's schema and the platform's schema have these tables."""

import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.text import normalize_username
from tenants.models.hotels import Language
from tenants.scopes import Role, permission_scope, role_scopes


class UsernameField(models.CharField):  # type: ignore[type-arg]
    """A column with a user name in its normal form. Values of queries are normalized too."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize_username(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username=username)

    def create_user(self, *, username: str, password: str | None, role: str, **fields: object) -> "User":
        """Create a member of staff. With `password=None` the account cannot log in until a password is set."""
        user = self.model(username=username, role=role, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A staff account of a hotel or of the platform. The accounts of a hotel are stored in the hotel's schema."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = UsernameField(_("user name"), max_length=150)
    full_name = models.CharField(_("full name"), max_length=150, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role)
    language = models.CharField(_("language"), max_length=2, choices=Language, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    #: Time of the last deactivation. Older sessions stay invalid, even if the account is activated again.
    deactivated_at = models.DateTimeField(null=True, editable=False)
    #: True if another person knows the password, so that the user must choose a new password after the login.
    must_change_password = models.BooleanField(default=False, db_default=False, editable=False)
    #: The encrypted secret of the user's authenticator app. None if two-factor authentication is off.
    totp_secret = models.BinaryField(null=True, editable=False)
    #: The number of the time step of the last accepted code. Codes of this step and of earlier steps are refused.
    totp_last_step = models.BigIntegerField(default=0, db_default=0, editable=False)
    #: The concatenated digests of the unused recovery codes.
    recovery_codes = models.BinaryField(default=b"", db_default=b"", editable=False)
    #: The number of wrong codes since the last right code, and the time of the last wrong code.
    code_failures = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    code_failed_at = models.DateTimeField(null=True, editable=False)
    #: Time at which two-factor authentication was last turned on or off. Older sessions are invalid.
    second_factor_changed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")
        constraints = [
            # With `unique=True`, Django would create an index for LIKE queries in addition to the unique index.
            models.UniqueConstraint(fields=["username"], name="tenants_user_username_unique"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        update_fields = options.get("update_fields")
        if not self.is_active and (update_fields is None or "is_active" in update_fields):
            self.deactivated_at = timezone.now()
            if update_fields is not None:
                options["update_fields"] = {*update_fields, "deactivated_at"}
        super().save(*args, **options)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the hash that the user's sessions must contain.

        A new password, a deactivation, and a change of the second factor change the hash.
        """
        digest: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        changes = (self.deactivated_at, self.second_factor_changed_at)
        return ":".join([digest, *(str(change.timestamp()) if change else "" for change in changes)])

    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None

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


class Session(models.Model):
    """A browser session of the admin.

    `id` is a digest of the session key, so nobody can log in with a copy of the table. `user_id` is None before the
    login.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    user_id = models.UUIDField(null=True)
    data = models.TextField()
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")


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
