"""Functions that create staff accounts and set passwords. Unlike the admin site, they require no login."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.context import current_tenant
from tenants.errors import InvalidPassword, InvalidRole, StaffNotFound, UsernameConflict
from tenants.models import User
from tenants.scopes import Role
from tenants.signals import staff_added, staff_password_set


def available_roles() -> list[Role]:
    """Return the roles that staff of the current tenant can have."""
    is_platform = current_tenant().is_platform
    return [role for role in Role if (role is Role.PLATFORM) is is_platform]


def create_staff(*, username: str, role: str, full_name: str = "", email: str = "") -> tuple[User, str]:
    """Create a staff account for the current tenant. Return the account and its random password.

    Only the hash of the password is stored, so the password cannot be shown again.

    Raises InvalidRole, UsernameConflict.
    """
    known = [str(known_role.value) for known_role in available_roles()]
    if role not in known:
        raise InvalidRole(
            _("{role} is not a valid role. Choose one of: {known}.").format(
                role=role, known=", ".join(known)
            ),
            known=known,
        )
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username=username, password=password, role=role, full_name=full_name, email=email
            )
            staff_added.send(User, user=user)
    except IntegrityError as error:
        detail = _("The user name {username} is already in use. Choose another user name.")
        raise UsernameConflict(detail.format(username=username)) from error
    return user, password


def set_password(*, username: str, password: str) -> User:
    """Set the password of a staff account of the current tenant. All sessions of the account end.

    Raises StaffNotFound, InvalidPassword.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username__iexact=username).first()
        if user is None:
            detail = _("There is no staff member with the user name {username}.").format(username=username)
            raise StaffNotFound(detail)
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidPassword(" ".join(error.messages)) from error
        user.set_password(password)
        user.save(update_fields=["password"])
        staff_password_set.send(User, user=user)
    return user
