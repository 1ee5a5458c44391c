"""The environment, read by type. A value that is not of its type raises an error that names the variable."""

from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hotelagent.settings.providers import PROVIDERS, WrongProvider, settings_of

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0", ""}


class Environment(environ.Env):  # type: ignore[misc]
    def int(self, var: str, default: Any = environ.Env.NOTSET) -> int:
        try:
            return int(super().int(var, default=default))
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {self.str(var)!r}. Set it to a whole number.") from None

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> bool:
        """Unlike the library's, what is neither true nor false is no quiet False: it may turn a wall off."""
        given = self.str(var, default=str(default)).strip().lower()
        if given not in _TRUE | _FALSE:
            raise ImproperlyConfigured(f"{var} is {given!r}. Set it to true or false.")
        return given in _TRUE

    def mail(self, var: str) -> dict[str, Any]:
        """Django's EMAIL_* settings, and Anymail's, of an address; none of none.

        `smtp+tls://user:password@host:587` is a mail server, `postmark://key` a provider (`providers`).
        """
        if not self.str(var, default=""):
            return {}
        try:
            parts = urlsplit(self.str(var))
            if parts.scheme in PROVIDERS:
                return settings_of(parts)
            return dict(self.email_url_config(self.str(var)))
        except WrongProvider as wrong:
            raise ImproperlyConfigured(f"{var}: {wrong}") from None
        except (ImproperlyConfigured, ValueError):
            raise ImproperlyConfigured(
                f"{var} is no address of a mail server. It looks like smtp+tls://user:password@host:587 "
                f"(or smtp, smtp+ssl, consolemail, filemail) or postmark://key (or {', '.join(PROVIDERS)}), "
                "with any other character of the password or key as %XX."
            ) from None


env = Environment()
