"""What providers with an API need to know a mail again by, and what their refusals mean."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.mail import EmailMessage

from reminders.errors import MailDeferred, MailOutcomeUnknown, MailRejected

_FOR_GOOD = frozenset({400, 404, 410, 413, 422})
_FOR_NOW = frozenset({401, 403, 429, 503})
#: Amazon says 400 to these too: the account's quota is used up, or its sending stands still.
_AMAZON_FOR_NOW = frozenset({"LimitExceededException", "SendingPausedException", "AccountSuspendedException"})
#: What clients say where there was no connection, or nothing to show on it, by name: they are loaded with a backend.
_NOTHING_LEFT = frozenset(
    {
        # requests, and urllib3 below it
        "ConnectTimeout",
        "ConnectTimeoutError",
        "NameResolutionError",
        "NewConnectionError",
        # botocore
        "CredentialRetrievalError",
        "EndpointConnectionError",
        "NoCredentialsError",
        "PartialCredentialsError",
    }
)


def idempotency_key(message: EmailMessage) -> str:
    """What a provider may know a mail by that it was given before: the same reminder, to the same address."""
    named = [str(message.extra_headers.get("Message-ID", "")), *message.recipients()]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def name(backend: Any, message: EmailMessage) -> None:
    """Let the provider know the mail again, tell of it by what we know it by, and leave it the Message-ID that it has.

    Resend reads the key from the request's headers and remembers it for a day, Brevo from the mail's for a quarter
    of an hour (https://resend.com/docs/dashboard/emails/idempotency-keys,
    https://developers.brevo.com/changelog/email-api-now-supports-idempotency). Others read past it. Postmark writes a
    Message-ID of its own over ours unless X-PM-KeepID says not to; Amazon does so whatever it is told.
    """
    # Anymail's have it; to ask for their class would load that in each process that is started.
    if not hasattr(backend, "esp_name"):
        return
    backend.open()  # kept: each mail would make a client of its own
    if "Message-ID" not in message.extra_headers:
        return
    key = idempotency_key(message)
    if hasattr(backend, "create_session"):  # those that speak HTTP by `requests`
        backend.session.headers["Idempotency-Key"] = key
    if backend.esp_name == "Brevo":
        message.extra_headers["idempotencyKey"] = key
    if backend.esp_name == "Resend":  # it tells of a mail with its tags, and not with its headers
        tags = [{"name": name, "value": value} for name, value in vars(message).get("metadata", {}).items()]
        vars(message)["esp_extra"] = {"tags": tags}
    if backend.esp_name == "Postmark":
        message.extra_headers["X-PM-KeepID"] = "true"


def fate(error: Exception) -> MailRejected | MailDeferred | MailOutcomeUnknown:
    """What an error says of the mail: only an answer with a status is known not to have been taken."""
    said = str(error)[:500]
    status, code = _answer(error)
    if code in _AMAZON_FOR_NOW or status in _FOR_NOW or _has_not_left(error.__cause__):
        return MailDeferred(said)
    if type(error).__name__ == "AnymailRecipientsRefused" or status in _FOR_GOOD:
        return MailRejected(said)
    return MailOutcomeUnknown(said)


def _has_not_left(cause: BaseException | None) -> bool:
    """`requests` wraps what urllib3 gave up for, and says that in `reason`."""
    wrapped = cause.args[0] if cause is not None and cause.args else None
    reason = getattr(wrapped, "reason", None)
    return not {type(cause).__name__, type(reason).__name__}.isdisjoint(_NOTHING_LEFT)


def _answer(error: Exception) -> tuple[int | None, str]:
    """The HTTP status of an AnymailAPIError, and what Amazon calls the error."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # as Amazon's client reads it
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    return getattr(error, "status_code", None), ""
