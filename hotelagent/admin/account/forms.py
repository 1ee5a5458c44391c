"""The forms of the login and of the user's own account."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from tenants.access.passwords import MAX_LENGTH

_CODE = {
    "autocomplete": "one-time-code",
    "inputmode": "text",
    "autocapitalize": "none",
    "spellcheck": "false",
}


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """The form with the user name and the password. A password that is too long for any account is refused unhashed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].validators.append(MaxLengthValidator(MAX_LENGTH))
        self.fields["password"].widget.attrs["maxlength"] = MAX_LENGTH


class CodeForm(forms.Form):
    """The form for a code of the authenticator app or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={**_CODE, "autofocus": ""}),
    )


class SetupForm(forms.Form):
    """The form that confirms that the authenticator app is set up."""

    code = forms.CharField(
        label=_("6-digit code of the app"),
        max_length=10,
        widget=UnfoldAdminTextInputWidget(attrs={**_CODE, "inputmode": "numeric"}),
    )


class ConfirmationForm(forms.Form):
    """The form with which staff confirm who they are before a sensitive change.

    The names of the fields differ from the fields of all forms that are sent again after the confirmation.
    """

    confirm_password = forms.CharField(
        label=_("Your password"),
        max_length=MAX_LENGTH,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password", "autofocus": ""}),
    )
    confirm_code = forms.CharField(
        label=_("Code of the authenticator app, or a recovery code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs=_CODE),
    )

    def __init__(self, *args: Any, with_code: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_code:
            del self.fields["confirm_code"]


class EmailForm(forms.Form):
    """The form in which users change the e-mail address of their account."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "email"}),
    )


class PasswordLinkForm(forms.Form):
    """The form with which staff who cannot log in request a link to set a new password."""

    name = forms.CharField(
        label=_("User name or e-mail address"),
        max_length=254,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "username", "autofocus": ""}),
    )
