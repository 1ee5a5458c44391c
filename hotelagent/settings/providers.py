"""Mail providers that are spoken to by their API: what their part of EMAIL_URL says, as Anymail's settings.

`postmark://key?message_stream=guests`: the key, and after the question mark options of that provider.
`ses://access-key:secret@eu-west-1`: Amazon's region, with a key or, without one, with the rights of the machine.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote


class WrongProvider(ValueError):
    """What is wrong with the address. It names no key."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`anymail` is what Anymail calls it: in its modules, in its settings, and where it listens."""

    anymail: str
    key: str
    options: tuple[str, ...]


PROVIDERS = {
    "brevo": Provider("brevo", "API_KEY", ("api_url",)),
    "mailgun": Provider("mailgun", "API_KEY", ("api_url", "sender_domain", "webhook_signing_key")),
    "postmark": Provider("postmark", "SERVER_TOKEN", ("api_url", "message_stream")),
    "resend": Provider("resend", "API_KEY", ("api_url",)),
    "ses": Provider("amazon_ses", "CLIENT_PARAMS", ("configuration_set_name", "endpoint_url")),
    "sparkpost": Provider("sparkpost", "API_KEY", ("api_url", "subaccount")),
}


def settings_of(parts: SplitResult) -> dict[str, Any]:
    """Django's and Anymail's settings. Raises WrongProvider."""
    provider = PROVIDERS[parts.scheme]
    options = dict(parse_qsl(parts.query))
    if unknown := sorted(options.keys() - set(provider.options)):
        raise WrongProvider(
            f"{parts.scheme} has no option {', '.join(unknown)}. It has {', '.join(provider.options)}."
        )
    if parts.scheme == "ses":
        given = _of_amazon(parts, options)
    elif key := unquote(parts.netloc):
        given = {provider.key: key, **{name.upper(): value for name, value in options.items()}}
    else:
        raise WrongProvider(f"The key is missing: {parts.scheme}://key.")
    return {
        "EMAIL_BACKEND": f"anymail.backends.{provider.anymail}.EmailBackend",
        "ANYMAIL": {f"{provider.anymail.upper()}_{name}": value for name, value in given.items()},
    }


def _of_amazon(parts: SplitResult, options: dict[str, str]) -> dict[str, Any]:
    if find_spec("boto3") is None:
        raise WrongProvider(
            "ses needs Amazon's client, which is not installed: install requirements/ses.txt in place of "
            "production.txt (docker build --build-arg REQUIREMENTS=ses)."
        )
    if not parts.hostname:
        raise WrongProvider("The region is missing: ses://eu-west-1 or ses://access-key:secret@eu-west-1.")
    if bool(parts.username) != bool(parts.password):
        raise WrongProvider(
            "Of the access key and its secret one is missing: ses://access-key:secret@eu-west-1."
        )
    client: dict[str, Any] = {
        "region_name": parts.hostname,
        # Amazon knows no key by which a mail that it was given before is known: a second try might be a second mail.
        "config": {"retries": {"total_max_attempts": 1}, "connect_timeout": 20, "read_timeout": 20},
    }
    if parts.username and parts.password:
        client["aws_access_key_id"] = unquote(parts.username)
        client["aws_secret_access_key"] = unquote(parts.password)
    if "endpoint_url" in options:
        client["endpoint_url"] = options["endpoint_url"]
    return {
        "CLIENT_PARAMS": client,
        "CONFIGURATION_SET_NAME": options.get("configuration_set_name"),
    }
