"""Typed access to environment variables. A value of the wrong type raises an error that names the variable."""

from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hotelagent.settings.providers import PROVIDERS, InvalidProviderURL, provider_settings

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0", ""}


class Environment(environ.Env):  # type: ignore[misc]
    def int(self, var: str, default: Any = environ.Env.NOTSET) -> int:
        try:
            return int(super().int(var, default=default))
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {self.str(var)!r}. Set it to a whole number.") from None

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> bool:
        """Return a boolean. Raises ImproperlyConfigured for other words.

        The library would return False for them, and so might turn a protection off.
        """
        value = self.str(var, default=str(default)).strip().lower()
        if value not in _TRUE | _FALSE:
            raise ImproperlyConfigured(f"{var} is {value!r}. Set it to true or false.")
        return value in _TRUE

    def email(self, var: str) -> dict[str, Any]:
        """Return Django's and Anymail's settings for the mail server or provider, or none if the variable is empty.

        `smtp+tls://user:password@host:587` is a mail server, `postmark://key` is a provider (see `providers`).
        """
        if not self.str(var, default=""):
            return {}
        try:
            parts = urlsplit(self.str(var))
            if parts.scheme in PROVIDERS:
                return provider_settings(parts)
            return dict(self.email_url_config(self.str(var)))
        except InvalidProviderURL as error:
            raise ImproperlyConfigured(f"{var}: {error}") from None
        except (ImproperlyConfigured, ValueError):
            # The message of the original error contains the URL with the password.
            raise ImproperlyConfigured(
                f"{var} is not a valid URL of a mail server or provider. Use smtp+tls://user:password@host:587 (or "
                f"smtp, smtp+ssl, consolemail, filemail) or postmark://key (or {', '.join(PROVIDERS)}). Special "
                "characters in the password or key must be percent-encoded."
            ) from None


env = Environment()
