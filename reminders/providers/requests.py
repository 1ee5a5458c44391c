"""Functions that prepare messages for the HTTP APIs of mail providers, and classify the providers' errors."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.mail import EmailMessage

from reminders.errors import MailDeferred, MailOutcomeUnknown, MailRejected

_PERMANENT_STATUSES = frozenset({400, 404, 410, 413, 422})
_TEMPORARY_STATUSES = frozenset({401, 403, 429, 503})
#: The error names of temporary errors of Amazon SES, such as an exceeded quota.
#: Amazon SES returns the status 400 for temporary errors and for permanent errors, so the error name is needed.
_TEMPORARY_AMAZON_ERRORS = frozenset(
    {"LimitExceededException", "SendingPausedException", "AccountSuspendedException"}
)
#: The names of exceptions that are raised before a request is sent.
#: The names of exception classes are compared, so that no HTTP client has to be imported.
_NOT_SENT_ERRORS = frozenset(
    {
        # exceptions of the library `requests`, and of `urllib3`, which `requests` uses
        "ConnectTimeout",
        "ConnectTimeoutError",
        "NameResolutionError",
        "NewConnectionError",
        # exceptions of botocore
        "CredentialRetrievalError",
        "EndpointConnectionError",
        "NoCredentialsError",
        "PartialCredentialsError",
    }
)


def idempotency_key(message: EmailMessage) -> str:
    """Return a key that is the same for every request to send the same reminder to the same address."""
    identity = [str(message.extra_headers.get("Message-ID", "")), *message.recipients()]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()


def prepare_message(backend: Any, message: EmailMessage) -> None:
    """Add headers and tags so that the mail provider recognizes repeated requests and keeps our Message-ID.

    The idempotency key identifies repeated requests. Resend remembers the key for a day
    (https://resend.com/docs/dashboard/emails/idempotency-keys). Brevo remembers the key for 15 minutes
    (https://developers.brevo.com/changelog/email-api-now-supports-idempotency). Other providers ignore the key.
    """
    # Only Anymail's backends have `esp_name`. Importing Anymail for an isinstance check would slow down every process.
    if not hasattr(backend, "esp_name"):
        return
    backend.open()  # Open the connection over which the backend sends all messages.
    if "Message-ID" not in message.extra_headers:
        return
    key = idempotency_key(message)
    if hasattr(backend, "create_session"):  # the backend uses the library `requests`
        backend.session.headers["Idempotency-Key"] = key
    if backend.esp_name == "Brevo":
        message.extra_headers["idempotencyKey"] = key
    if backend.esp_name == "Resend":  # Resend's events contain the tags of the message, but not its headers.
        metadata = vars(message).get("metadata", {})
        tags = [{"name": name, "value": value} for name, value in metadata.items()]
        vars(message)["esp_extra"] = {"tags": tags}
    if backend.esp_name == "Postmark":
        message.extra_headers["X-PM-KeepID"] = "true"


def classify_error(error: Exception) -> MailRejected | MailDeferred | MailOutcomeUnknown:
    """Return the project's error class that corresponds to the error from an e-mail backend.

    The result is MailOutcomeUnknown unless the provider certainly did not accept the message.
    """
    text = str(error)[:500]
    status, amazon_error = _status_and_error_name(error)
    is_temporary = amazon_error in _TEMPORARY_AMAZON_ERRORS or status in _TEMPORARY_STATUSES
    if is_temporary or _was_not_sent(error.__cause__):
        return MailDeferred(text)
    if type(error).__name__ == "AnymailRecipientsRefused" or status in _PERMANENT_STATUSES:
        return MailRejected(text)
    return MailOutcomeUnknown(text)


def _was_not_sent(cause: BaseException | None) -> bool:
    # `requests` wraps the exceptions of urllib3, so the attribute `reason` of the wrapped exception is also checked.
    wrapped = cause.args[0] if cause is not None and cause.args else None
    reason = getattr(wrapped, "reason", None)
    return not {type(cause).__name__, type(reason).__name__}.isdisjoint(_NOT_SENT_ERRORS)


def _status_and_error_name(error: Exception) -> tuple[int | None, str]:
    """Return the HTTP status of an AnymailAPIError and the error name that Amazon SES returned."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # the error comes from botocore
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    return getattr(error, "status_code", None), ""
