"""Functions that interpret the tracking events of mail providers where the Anymail library is incomplete."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason

from hotelagent.core.domains import ascii_address
from reminders.models import SuppressionReason

#: Event types that Anymail does not recognize. The keys are the names that Resend, Amazon SES and Brevo use.
_EVENT_TYPES: dict[str, str] = {
    "email.failed": EventType.FAILED,
    "email.suppressed": EventType.REJECTED,
    "DeliveryDelay": EventType.DEFERRED,
    "unsubscribed": EventType.UNSUBSCRIBED,
}
_SUPPRESSION_REASONS = {
    RejectReason.SPAM: SuppressionReason.COMPLAINED,
    RejectReason.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
    RejectReason.BOUNCED: SuppressionReason.BOUNCED,
    RejectReason.INVALID: SuppressionReason.BOUNCED,
}
#: The event names with which Mailgun and Resend report that an address is on the provider's own suppression list.
_PROVIDER_SUPPRESSION_REASONS = {
    "delayed-bounce": SuppressionReason.BOUNCED,
    "suppress-complaint": SuppressionReason.COMPLAINED,
    "suppress-unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "email.suppressed": SuppressionReason.BOUNCED,
}
#: Matches the providers' names of soft bounces, such as “transient”, which Anymail reports as hard bounces.
_SOFT_BOUNCE = re.compile(r"soft|transient|undetermined|temporary", re.IGNORECASE)
#: SparkPost's bounce classes for soft bounces, such as DNS failures and full mailboxes.
_SOFT_BOUNCE_CLASSES = frozenset({"20", "21", "22", "23", "40", "70"})
#: Matches SMTP status codes for temporary failures (RFC 3463, section 3).
_SOFT_BOUNCE_CODE = re.compile(r"\b4\.\d{1,3}\.\d{1,3}\b|^4\d\d\b")
#: Keys of the event type and the bounce type in the JSON events of the mail providers.
_TYPE_KEYS = ("Type", "event", "eventType", "bounceType", "type", "bounce_class")
#: Keys of nested objects in the JSON events. Some mail providers put the event type into such an object.
_NESTED_KEYS = ("bounce", "data", "msys", "message_event")


def metadata(event: AnymailTrackingEvent) -> dict[str, Any]:
    """Return the metadata that was sent with the message.

    Resend's events contain the tags of the message, but not the headers in which Anymail sends metadata.
    """
    tags = _nested(event.esp_event, "data").get("tags")
    return event.metadata or (tags if isinstance(tags, dict) else {})


def event_type(event: AnymailTrackingEvent) -> str:
    """Return Anymail's name for the type of the event, such as `bounced`."""
    if event.event_type != EventType.UNKNOWN:
        return str(event.event_type)
    known = (_EVENT_TYPES[name] for name in _type_names(event.esp_event) if name in _EVENT_TYPES)
    return next(known, str(EventType.UNKNOWN))


def is_about(event: AnymailTrackingEvent, address: str) -> bool:
    """Return whether the event is about a message to this address.

    If the event lists the original recipients, `address` is compared with the original recipients. Amazon SES reports
    the address that returned the message, which differs from the recipient's address if the recipient forwards e-mails.
    """
    recipients = _nested(event.esp_event, "mail").get("destination") or [event.recipient]
    normalized = {_normalized(str(recipient)) for recipient in recipients}
    return not any(recipients) or _normalized(address) in normalized


def error_text(event: AnymailTrackingEvent) -> str:
    """Return the receiving mail server's error text or, if the event has none, the provider's error text."""
    data = _nested(event.esp_event, "data")  # the object in which Resend reports errors
    reasons = (_nested(data, "failed").get("reason"), _nested(data, "suppressed").get("message"))
    return str(next(filter(None, (event.mta_response, event.description, *reasons)), ""))


def suppression_reason(event: AnymailTrackingEvent) -> SuppressionReason | None:
    """Return the reason for adding the address to the suppression list, or None if the address should not be added."""
    type_ = event_type(event)
    if type_ == EventType.COMPLAINED:
        return SuppressionReason.COMPLAINED
    if type_ == EventType.UNSUBSCRIBED:
        return SuppressionReason.UNSUBSCRIBED
    if type_ not in {EventType.REJECTED, EventType.BOUNCED}:
        return None
    names = _type_names(event.esp_event)
    mailgun_reason = _nested(event.esp_event, "event-data").get("reason")
    for name in (*names, mailgun_reason):
        if name in _PROVIDER_SUPPRESSION_REASONS:
            return _PROVIDER_SUPPRESSION_REASONS[name]
    if type_ == EventType.REJECTED:
        return _SUPPRESSION_REASONS.get(event.reject_reason)
    return SuppressionReason.BOUNCED if _is_hard_bounce(event, names) else None


def _is_hard_bounce(event: AnymailTrackingEvent, names: list[str]) -> bool:
    """Return whether the bounce is permanent, which means that the address should receive no further messages."""
    # Amazon SES and Resend call a hard bounce "Permanent".
    if "Permanent" in names:
        return True
    if event.reject_reason not in {None, RejectReason.BOUNCED, RejectReason.INVALID}:
        return False
    if _SOFT_BOUNCE_CODE.search(str(event.mta_response or "")):
        return False
    return not any(_SOFT_BOUNCE.search(name) or name in _SOFT_BOUNCE_CLASSES for name in names)


def _type_names(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return []
    names = [payload[key] for key in _TYPE_KEYS if isinstance(payload.get(key), str)]
    for key in _NESTED_KEYS:
        names += _type_names(payload.get(key))
    return names


def _nested(payload: Any, key: str) -> dict[str, Any]:
    value = payload.get(key) if isinstance(payload, dict) else None
    return value if isinstance(value, dict) else {}


def _normalized(address: str) -> str:
    """Return the address in lower case and with an ASCII domain. Some providers report addresses in this form."""
    address = address.strip()
    with contextlib.suppress(UnicodeError):  # keep an invalid domain unchanged
        address = ascii_address(address)
    return address.casefold()
