"""Logging in, slowed down for who guesses."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm

from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import current_actor

#: Attempts on one account from one address. An account is never locked as such: that would let anybody lock it.
ATTEMPTS = Rate(requests=10, seconds=600)


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """Django's own (it sends `user_login_failed`), behind a count of attempts."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "throttled": _("Too many attempts. Try again in a few minutes."),
    }

    def clean(self) -> dict[str, Any]:
        name = str(self.cleaned_data.get("username", "")).lower()
        result = ClientThrottle.check(policy="login", client=f"{current_actor().ip} {name}", rate=ATTEMPTS)
        if result is not None and not result.allowed:
            raise ValidationError(self.error_messages["throttled"], code="throttled")
        cleaned: dict[str, Any] = super().clean()
        return cleaned
