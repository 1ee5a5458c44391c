"""The login form of the admin, with a limit on the number of login attempts."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm

from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import current_actor

#: Maximum rate of login attempts, for each pair of a user name and an IP address.
#: There is no limit per user name alone, because anyone could then lock out another user.
LOGIN_RATE = Rate(requests=10, seconds=600)


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """Unfold's login form. After too many attempts, further logins are refused without checking the password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "throttled": _("Too many login attempts. Try again in a few minutes."),
    }

    def clean(self) -> dict[str, Any]:
        username = str(self.cleaned_data.get("username", "")).lower()
        result = ClientThrottle.check(
            policy="login", client=f"{current_actor().ip} {username}", rate=LOGIN_RATE
        )
        if result is not None and not result.allowed:
            raise ValidationError(self.error_messages["throttled"], code="throttled")
        cleaned: dict[str, Any] = super().clean()
        return cleaned
