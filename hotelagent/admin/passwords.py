"""Forms with which staff set passwords in the admin. The audit trail records the account whose password was set."""

from typing import Any

from django.db import transaction
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm

from tenants.signals import staff_password_set


class _SetsPassword:
    """Mixin that sends the signal `staff_password_set`, in the same transaction as the change of the password."""

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            user = super().save(commit)  # type: ignore[misc]
            staff_password_set.send(type(user), user=user)
        return user


class OwnPasswordForm(_SetsPassword, AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """The form with which staff change their own password."""


class StaffPasswordForm(_SetsPassword, AdminPasswordChangeForm):  # type: ignore[misc]
    """The form with which staff set the password of another account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Remove Django's form field with which an account without a password can be created.
        self.fields.pop("usable_password", None)
