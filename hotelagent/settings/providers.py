"""Conversion of EMAIL_URL to the settings of Anymail, for e-mail providers with an HTTP API. Examples of URLs:

- `postmark://key?message_stream=guests` contains the API key, and options of the provider as a query string.
- `ses://access-key:secret@eu-west-1` contains the region of Amazon SES. Without an access key, Amazon's default
  credentials of the machine are used.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote

from hotelagent.core.service_urls import ServiceURL


class InvalidProviderURL(ValueError):
    """The URL of an e-mail provider is not valid. The message never contains the API key."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An e-mail provider that Anymail supports.

    `anymail_name` is the provider's name in Anymail's modules, settings and webhook URLs. `key_setting` is the name of
    the setting for the API key. `options` are the names that are allowed in the query string of the URL.
    """

    anymail_name: str
    key_setting: str
    options: tuple[str, ...]


PROVIDERS = {
    "brevo": Provider("brevo", "API_KEY", ("api_url",)),
    "mailgun": Provider("mailgun", "API_KEY", ("api_url", "sender_domain", "webhook_signing_key")),
    "postmark": Provider("postmark", "SERVER_TOKEN", ("api_url", "message_stream")),
    "resend": Provider("resend", "API_KEY", ("api_url",)),
    "ses": Provider("amazon_ses", "CLIENT_PARAMS", ("configuration_set_name", "endpoint_url")),
    "sparkpost": Provider("sparkpost", "API_KEY", ("api_url", "subaccount")),
}


def provider_settings(url: ServiceURL) -> dict[str, Any]:
    """Return the settings EMAIL_BACKEND and ANYMAIL for the URL of a provider as a dict.

    Raises InvalidProviderURL.
    """
    provider = PROVIDERS[url.scheme]
    options = url.options
    if url.path.strip("/"):
        raise InvalidProviderURL("The URL has a path. If the key contains a slash, write %2F.")
    if unknown := sorted(options.keys() - set(provider.options)):
        raise InvalidProviderURL(
            f"{url.scheme} has no option {', '.join(unknown)}. Its options are {', '.join(provider.options)}."
        )
    if url.scheme == "ses":
        values = _ses_settings(url, options)
    elif key := _api_key(url):
        values = {provider.key_setting: key, **{name.upper(): value for name, value in options.items()}}
    else:
        raise InvalidProviderURL(f"The API key is missing. Use {url.scheme}://key.")
    return {
        "EMAIL_BACKEND": f"anymail.backends.{provider.anymail_name}.EmailBackend",
        "ANYMAIL": {f"{provider.anymail_name.upper()}_{name}": value for name, value in values.items()},
    }


def _api_key(url: ServiceURL) -> str:
    # An API key may contain a colon or an @. The URL parser splits the key at these characters, so we join the parts.
    login = ":".join(part for part in (url.user, url.password) if part)
    return f"{login}@{unquote(url.authority)}" if login else unquote(url.authority)


def _ses_settings(url: ServiceURL, options: dict[str, str]) -> dict[str, Any]:
    if find_spec("boto3") is None:
        raise InvalidProviderURL(
            "ses needs the package boto3, which is not installed. Install requirements/ses.txt instead of "
            "production.txt (docker build --build-arg REQUIREMENTS=ses)."
        )
    region = url.authority
    if not region:
        raise InvalidProviderURL(
            "The region is missing. Use ses://eu-west-1 or ses://access-key:secret@eu-west-1."
        )
    if bool(url.user) != bool(url.password):
        raise InvalidProviderURL(
            "The access key or its secret is missing. Use ses://access-key:secret@eu-west-1."
        )
    client: dict[str, Any] = {
        "region_name": region,
        # boto3 must not retry: Amazon SES has no idempotency key, so a retry could send the e-mail twice.
        "config": {"retries": {"total_max_attempts": 1}, "connect_timeout": 20, "read_timeout": 20},
    }
    if url.user:
        client["aws_access_key_id"] = url.user
        client["aws_secret_access_key"] = url.password
    if "endpoint_url" in options:
        client["endpoint_url"] = options["endpoint_url"]
    return {
        "CLIENT_PARAMS": client,
        "CONFIGURATION_SET_NAME": options.get("configuration_set_name"),
    }
