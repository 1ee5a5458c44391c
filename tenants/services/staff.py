"""Functions that create and erase staff accounts and set passwords. Commands call these functions without a login."""

import secrets
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tenants.access.accounts import insert_account
from tenants.access.passwords import require_valid_password
from tenants.context import current_tenant
from tenants.errors import InvalidRole, SecondFactorNotSet, StaffNotFound
from tenants.models import User
from tenants.scopes import Role
from tenants.services.account import delete_sessions, turn_off_second_factor
from tenants.signals import staff_added, staff_erased, staff_password_set


def available_roles() -> list[Role]:
    """Return the roles that staff of the current tenant can have."""
    is_platform = current_tenant().is_platform
    return [role for role in Role if (role is Role.PLATFORM) is is_platform]


def create_staff(*, username: str, role: str, full_name: str = "", email: str = "") -> tuple[User, str]:
    """Create a staff account for the current tenant. Return the account and its random password.

    Only the hash of the password is stored, so the password cannot be shown again. The user must choose a new password
    after the first login.

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
    with transaction.atomic():
        user = insert_account(
            username=username,
            password=password,
            role=role,
            full_name=full_name,
            email=email,
            must_change_password=True,
        )
        staff_added.send(User, user=user)
    return user, password


def set_password(*, username: str, password: str) -> User:
    """Set the password of a staff account of the current tenant. All sessions of the account end.

    The user must choose a new password after the login, because the caller knows this password.

    Raises StaffNotFound, InvalidPassword.
    """
    with transaction.atomic():
        user = _find(User.objects.select_for_update(), username)
        require_valid_password(password, user)
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        staff_password_set.send(User, user=user)
    return user


def reset_second_factor(*, username: str) -> User:
    """Turn off two-factor authentication for an account whose user lost the phone. All sessions of the account end.

    Raises StaffNotFound, SecondFactorNotSet.
    """
    with transaction.atomic():
        user = _find(User.objects.select_for_update(), username)
        if not user.has_second_factor:
            raise SecondFactorNotSet(
                _("{username} has no two-factor authentication.").format(username=user.username)
            )
        turn_off_second_factor(user, by_administrator=True)
    return user


def find_staff(*, username: str) -> User:
    """Return the staff account of the current tenant with this user name. Raises StaffNotFound."""
    return _find(User.objects.all(), username)


def _find(accounts: QuerySet[User], username: str) -> User:
    user = accounts.filter(username=username).first()
    if user is None:
        detail = _("There is no staff member with the user name {username}.").format(username=username)
        raise StaffNotFound(detail)
    return user


def erase_staff(*, user_id: UUID) -> User:
    """Erase the personal data of a member of staff from the account, the audit trail and other records.

    The account is deactivated.

    The account remains with its id, because other rows refer to it. Can be repeated. Raises StaffNotFound.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise StaffNotFound(_("There is no staff member with the id {id}.").format(id=user_id))
        username, user.username = user.username, f"erased-{user.id.hex}"
        email = user.email
        user.full_name = user.email = ""
        user.is_active = False
        user.set_unusable_password()
        user.totp_secret, user.recovery_codes = None, b""
        user.save()
        delete_sessions(user)
        staff_erased.send(User, user=user, username=username, email=email)
    return user
