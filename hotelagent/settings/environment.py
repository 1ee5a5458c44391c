"""The environment, read by type. A value that is not of its type raises an error that names the variable."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

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
        """Django's EMAIL_* settings of an address such as `smtp+tls://user:password@host:587`; none: none."""
        if not self.str(var, default=""):
            return {}
        try:
            return dict(self.email_url_config(self.str(var)))
        except (ImproperlyConfigured, ValueError):
            raise ImproperlyConfigured(
                f"{var} is no address of a mail server. It looks like smtp+tls://user:password@host:587 "
                "(or smtp, smtp+ssl, consolemail, filemail), with any other character of the password as %XX."
            ) from None


env = Environment()
