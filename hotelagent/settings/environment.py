"""Typed access to environment variables. A value of the wrong type raises an error that names the variable.

Values are taken literally, because passwords and generated keys may begin with `$`.
"""

import builtins
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from hotelagent.core import service_urls
from hotelagent.core.service_urls import InvalidServiceURL, ServiceURL
from hotelagent.settings.providers import PROVIDERS, InvalidProviderURL, provider_settings

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0", ""}
#: Maps each URL scheme of a mail server to its default port and its Django settings.
_SMTP: dict[str, tuple[int, dict[str, bool]]] = {
    "smtp": (25, {}),
    "smtp+tls": (587, {"EMAIL_USE_TLS": True}),
    "smtp+ssl": (465, {"EMAIL_USE_SSL": True}),
}
_FILES = {"consolemail": "console", "filemail": "filebased"}
#: The variables with secrets. Container platforms mount secrets as files, so the variable NAME_FILE can name a file
#: with the value of NAME. AUDIT_SIGNING_KEY_FILE is a separate setting, because its file may have several lines.
SECRETS = frozenset(
    {
        "BACKUP_URL",
        "DATABASE_DIRECT_URL",
        "DATABASE_URL",
        "EMAIL_URL",
        "METRICS_TOKEN",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "REDIS_URL",
        "SECRET_KEY",
        "SENTRY_DSN",
        "WEBHOOK_SECRET",
        "WORKER_MONITOR_LOGIN",
    }
)


def read_secret(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the value of the variable `name`, or the first line of the file that NAME_FILE names, or None.

    An empty NAME_FILE counts as not set. Raises ImproperlyConfigured if both variables are set or the file cannot be
    read. The message never contains a value.
    """
    value, file = environ.get(name), environ.get(f"{name}_FILE")
    if not file:
        return value
    if value:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Remove one of them.")
    try:
        return Path(file).read_text().partition("\n")[0].strip("\r")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}_FILE: {file} does not contain text.") from None


class Environment:
    def str(self, name: builtins.str, *, default: builtins.str | None = None) -> builtins.str:
        """Return the value of the environment variable unchanged, or the default.

        The values of SECRETS can also be in files (see `read_secret`). Raises ImproperlyConfigured if the variable is
        not set and there is no default.
        """
        value = read_secret(name) if name in SECRETS else os.environ.get(name)
        if value is None:
            value = default
        if value is None:
            raise ImproperlyConfigured(f"Set the environment variable {name}.")
        return value

    def int(self, name: builtins.str, *, default: builtins.int) -> builtins.int:
        value = self.str(name, default=builtins.str(default))
        try:
            return builtins.int(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} is {value!r}. Set it to a whole number.") from None

    def ratio(self, name: builtins.str, *, default: float) -> float:
        """Return the value as a number from 0 to 1."""
        value = self.str(name, default=builtins.str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise ImproperlyConfigured(f"{name} is {value!r}. Set it to a number from 0 to 1, such as 0.1.")
        return number

    def bool(self, name: builtins.str, *, default: builtins.bool) -> builtins.bool:
        """Return the value as a boolean. Raises ImproperlyConfigured for unknown words, which may be typing errors."""
        value = self.str(name, default=builtins.str(default)).strip().lower()
        if value not in _TRUE | _FALSE:
            raise ImproperlyConfigured(f"{name} is {value!r}. Set it to true or false.")
        return value in _TRUE

    def list(
        self, name: builtins.str, *, default: builtins.list[builtins.str]
    ) -> builtins.list[builtins.str]:
        """Return the comma-separated parts of the value as a list, or the default."""
        value = os.environ.get(name)
        return default if value is None else [part.strip() for part in value.split(",") if part.strip()]

    def ports(self, name: builtins.str, *, default: builtins.str) -> frozenset[builtins.int] | None:
        """Return the comma-separated port numbers of the value, or None if the value is `any`."""
        value = self.str(name, default=default).strip().lower()
        if value == "any":
            return None
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and 0 < builtins.int(part) < 65536 for part in parts):
            raise ImproperlyConfigured(
                f"{name} is {value!r}. Set it to port numbers that are separated by commas, or to any."
            )
        return frozenset(builtins.int(part) for part in parts)

    def redis(self, name: builtins.str) -> builtins.str:
        """Return the URL of a Redis server with a percent-encoded password, or "" if the variable is empty.

        In `rediss` URLs (TLS), options that require a verified certificate are added unless the URL contains them.
        """
        value = self.str(name, default="")
        if not value:
            return ""
        schemes = ("redis", "rediss")
        example = "redis://:password@host:6379/0, or rediss:// for TLS"
        try:
            url = service_urls.parse(value, variable=name, schemes=schemes, example=example)
            addresses = url.addresses()
        except InvalidServiceURL as error:
            raise ImproperlyConfigured(builtins.str(error)) from None
        if len(addresses) != 1 or not addresses[0][0]:
            raise ImproperlyConfigured(f"{name} must have one host. Use {example}.")
        if url.path.strip("/") and not url.path.strip("/").isdecimal():
            raise ImproperlyConfigured(f"{name}: the path must be the number of the database. Use {example}.")
        if url.scheme == "rediss":
            # Celery verifies the TLS certificate of the Redis server only if the URL has these two options.
            for option, value in (("ssl_cert_reqs", "required"), ("ssl_check_hostname", "true")):
                if option not in url.options:
                    url = url.with_option(option, value)
        return builtins.str(url)

    def http(self, name: builtins.str) -> builtins.str:
        """Return an HTTP or HTTPS URL with one host and without a login, or "" if the variable is empty."""
        value = self.str(name, default="")
        if not value:
            return ""
        example = "http://collector:4318"
        try:
            url = service_urls.parse(value, variable=name, schemes=("http", "https"), example=example)
            addresses = url.addresses()
        except InvalidServiceURL as error:
            raise ImproperlyConfigured(builtins.str(error)) from None
        if len(addresses) != 1 or not addresses[0][0] or url.user or url.query:
            raise ImproperlyConfigured(
                f"{name} must have one host, and no user name, password or options. Use {example}."
            )
        return value

    def email(self, name: builtins.str) -> dict[builtins.str, Any]:
        """Return Django's and Anymail's settings for the mail server or provider as a dict.

        `smtp+tls://user:password@host:587` is a mail server, and `postmark://key` is a provider (see `providers`). The
        dict is empty if the variable is empty.
        """
        value = self.str(name, default="")
        if not value:
            return {}
        try:
            url = service_urls.parse(
                value,
                variable=name,
                schemes=(*_SMTP, *_FILES, *PROVIDERS),
                example=f"smtp+tls://user:password@host:587 (or smtp, smtp+ssl, consolemail, filemail) or "
                f"postmark://key (or {', '.join(PROVIDERS)})",
            )
            if url.scheme in PROVIDERS:
                return provider_settings(url)
            return _mail_server_settings(url)
        except InvalidProviderURL as error:
            raise ImproperlyConfigured(f"{name}: {error}") from None
        except InvalidServiceURL as error:
            raise ImproperlyConfigured(builtins.str(error)) from None


def _mail_server_settings(url: ServiceURL) -> dict[str, Any]:
    if url.scheme in _FILES:
        return {
            "EMAIL_BACKEND": f"django.core.mail.backends.{_FILES[url.scheme]}.EmailBackend",
            "EMAIL_FILE_PATH": unquote(url.path),
        }
    addresses = url.addresses()
    if len(addresses) != 1 or not addresses[0][0] or url.path.strip("/") or url.query:
        raise InvalidServiceURL(
            f"{url.variable} must have one host, and no path or options. Use smtp+tls://user:password@host:587."
        )
    [(host, port)] = addresses
    default_port, protection = _SMTP[url.scheme]
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": host,
        "EMAIL_PORT": port or default_port,
        "EMAIL_HOST_USER": url.user,
        "EMAIL_HOST_PASSWORD": url.password,
        **protection,
    }


env = Environment()
