"""The first members of staff: a place that nobody can log in to has nobody to add them in the admin."""

import secrets

from django.db import IntegrityError, transaction
from django.dispatch import Signal

from tenants.access.scopes import Role
from tenants.context import current_tenant
from tenants.errors import DomainError
from tenants.models import User

#: Sent with `user` in the transaction that adds them: the audit trail listens.
staff_added = Signal()


class InvalidRole(DomainError):
    """A hotel has no platform staff, the platform nothing else; `known` lists the roles of the place."""

    code = "invalid-role"
    status = 422
    title = "There is no such role here"


class UsernameConflict(DomainError):
    """Names are compared without regard to case."""

    code = "username-conflict"
    title = "Somebody here has this user name"


def roles() -> list[Role]:
    """The roles there are in the hotel, or the platform, that is set."""
    of_platform = current_tenant().id is None
    return [role for role in Role if (role is Role.PLATFORM) is of_platform]


def add_staff(*, username: str, role: str, full_name: str = "", email: str = "") -> tuple[User, str]:
    """A member of staff of the place that is set, and the password that was made for them: nobody has it again.

    Raises InvalidRole or UsernameConflict.
    """
    known = [str(one.value) for one in roles()]
    if role not in known:
        raise InvalidRole(f"{role} is no role here.", known=known)
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username=username, password=password, role=role, full_name=full_name, email=email
            )
            staff_added.send(User, user=user)
    except IntegrityError as error:
        raise UsernameConflict(f"There is somebody called {username} here.") from error
    return user, password
