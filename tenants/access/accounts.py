"""The insertion of staff accounts, for all services that create accounts."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.errors import UsernameConflict
from tenants.models import User
from tenants.unaudited import unaudited


@unaudited("The caller sends the signal staff_added.")
def insert_account(*, username: str, password: str, role: str, **fields: object) -> User:
    """Insert a staff account of the current tenant, and return the account. Raises UsernameConflict."""
    try:
        with transaction.atomic():
            return User.objects.create_user(username=username, password=password, role=role, **fields)
    except IntegrityError as error:
        detail = _("The user name {username} is already in use. Choose another user name.")
        raise UsernameConflict(detail.format(username=username)) from error
