"""Forms with which staff set passwords in the admin. The audit trail records the account whose password was set."""

from typing import Any

from django.db import transaction
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm

from tenants.context import current_actor
from tenants.services.account import delete_sessions
from tenants.signals import staff_password_set


class SetsOwnPassword:
    """Mixin of forms with which users set their own password. Saving the form ends all sessions of the account.

    The signal `staff_password_set` is sent in the transaction that saves the password.
    """

    def save(self, commit: bool = True) -> Any:
        self.user.must_change_password = False  # type: ignore[attr-defined]
        return save_password(super().save, commit)  # type: ignore[misc]


class OwnPasswordForm(SetsOwnPassword, AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """The form with which staff change their own password."""


class StaffPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """The form that sets the password of another account. Its user must change the password after the next login."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Remove Django's form field with which an account without a password can be created.
        self.fields.pop("usable_password", None)

    def save(self, commit: bool = True) -> Any:
        self.user.must_change_password = current_actor().id != str(self.user.pk)
        return save_password(super().save, commit)


def save_password(save: Any, commit: bool) -> Any:
    """Call the method `save` of a form that sets a password, end the sessions of the account, and report the change."""
    with transaction.atomic():
        user = save(commit)
        delete_sessions(user)
        staff_password_set.send(type(user), user=user)
    return user
