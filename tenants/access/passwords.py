"""The hasher and the rules of staff passwords.

The parameters of Argon2id are those that OWASP recommends. See
https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher, check_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tenants.errors import InvalidPassword
from tenants.models import User

MAX_LENGTH = 256


def require_valid_password(password: str, user: User) -> None:
    """Raise InvalidPassword if a rule of AUTH_PASSWORD_VALIDATORS refuses the password for this account."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidPassword(" ".join(error.messages)) from error


class Argon2idHasher(Argon2PasswordHasher):
    """Django's Argon2id hasher with 19 MiB and one thread. Its defaults are 100 MiB and eight threads."""

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1


class MaximumLengthValidator:
    """A rule that refuses very long passwords, because long passwords take more time to hash."""

    def validate(self, password: str, _user: User | None = None) -> None:
        if len(password) > MAX_LENGTH:
            raise ValidationError(
                _("This password is too long. Use at most %(length)d characters.") % {"length": MAX_LENGTH},
                code="password_too_long",
            )

    def get_help_text(self) -> str:
        return _("Your password can have at most %(length)d characters.") % {"length": MAX_LENGTH}


class PreviousPasswordValidator:
    """A rule that refuses the account's current password as its new password."""

    def validate(self, password: str, user: User | None = None) -> None:
        # The method `User.check_password` is not called, because it would save the account if the hasher had changed.
        if user is not None and user.password and check_password(password, user.password):
            raise ValidationError(
                _("This is your current password. Choose a different password."), code="password_unchanged"
            )

    def get_help_text(self) -> str:
        return _("Your new password must differ from your current password.")
