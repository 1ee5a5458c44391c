"""The environment, read by type. A value that is not of its type raises an error that names the variable."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0", ""}

#: Providers that are spoken to by their API, as Anymail calls them, and what it calls their key.
PROVIDERS = {"brevo": "API_KEY", "mailgun": "API_KEY", "postmark": "SERVER_TOKEN", "resend": "API_KEY"}


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

        `smtp+tls://user:password@host:587` is a mail server. `postmark://key` is a provider; Anymail's other
        settings for it may follow: `mailgun://key?sender_domain=mg.example.com`.
        """
        if not self.str(var, default=""):
            return {}
        try:
            parts = urlsplit(self.str(var))
            if parts.scheme in PROVIDERS:
                return _provider(parts.scheme, unquote(parts.netloc), dict(parse_qsl(parts.query)))
            return dict(self.email_url_config(self.str(var)))
        except (ImproperlyConfigured, ValueError):
            raise ImproperlyConfigured(
                f"{var} is no address of a mail server. It looks like smtp+tls://user:password@host:587 "
                f"(or smtp, smtp+ssl, consolemail, filemail) or postmark://key (or {', '.join(PROVIDERS)}), "
                "with any other character of the password or key as %XX."
            ) from None


def _provider(name: str, key: str, options: dict[str, str]) -> dict[str, Any]:
    if not key:
        raise ValueError
    given = {PROVIDERS[name]: key, **{option.upper(): value for option, value in options.items()}}
    return {
        "EMAIL_BACKEND": f"anymail.backends.{name}.EmailBackend",
        "ANYMAIL": {f"{name.upper()}_{setting}": value for setting, value in given.items()},
    }


env = Environment()
