"""What a provider says of a mail, where it says more than Anymail understands, or other than it."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.utils.encoding import punycode

from reminders.models import SuppressionReason

#: Kinds of event that Anymail does not know yet, by their providers' names for them: Resend's, Amazon's and Brevo's.
_KINDS: dict[str, str] = {
    "email.failed": EventType.FAILED,
    "email.suppressed": EventType.REJECTED,
    "DeliveryDelay": EventType.DEFERRED,
    "unsubscribed": EventType.UNSUBSCRIBED,
}
_REASONS = {
    RejectReason.SPAM: SuppressionReason.COMPLAINED,
    RejectReason.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
    RejectReason.BOUNCED: SuppressionReason.BOUNCED,
    RejectReason.INVALID: SuppressionReason.BOUNCED,
}
#: Mailgun's and Resend's words for an address that stands on a list of theirs, with each mail to come.
_ON_THEIR_LIST = {
    "delayed-bounce": SuppressionReason.BOUNCED,
    "suppress-complaint": SuppressionReason.COMPLAINED,
    "suppress-unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "email.suppressed": SuppressionReason.BOUNCED,
}
#: What providers call a bounce that another day might not have (a full mailbox, a server that is away), which
#: Anymail does not tell from the others: Postmark and Brevo say "soft", Amazon and Resend "Transient".
_SOFT = re.compile(r"soft|transient|undetermined|temporary", re.IGNORECASE)
#: SparkPost's classes of them: undetermined by the other side, no DNS, full, too large, for now.
_SOFT_CLASSES = frozenset({"20", "21", "22", "23", "40", "70"})
_CODE_OF_SOFT = re.compile(r"\b4\.\d{1,3}\.\d{1,3}\b|^4\d\d\b")  # RFC 3463, 3: persistent transient failure
#: Where a provider names a kind of event or of bounce, however deep in its message.
_NAMES = ("Type", "event", "eventType", "bounceType", "type", "bounce_class")
_WITHIN = ("bounce", "data", "msys", "message_event")


def metadata(event: AnymailTrackingEvent) -> dict[str, Any]:
    """What the mail was given to be known by.

    Resend's messages say the mail's tags and not its headers, in which Anymail puts them
    (https://resend.com/docs/webhooks/event-types).
    """
    tags = _within(event.esp_event, "data").get("tags")
    return event.metadata or (tags if isinstance(tags, dict) else {})


def kind(event: AnymailTrackingEvent) -> str:
    """Anymail's name for what happened."""
    if event.event_type != EventType.UNKNOWN:
        return str(event.event_type)
    known = (_KINDS[word] for word in _words(event.esp_event) if word in _KINDS)
    return next(known, str(EventType.UNKNOWN))


def concerns(event: AnymailTrackingEvent, address: str) -> bool:
    """Whether it is about a mail to this address, and not to one that the reminder went to before.

    Amazon names who gave the mail back, which may be whom it was forwarded to, and apart from that who it was for.
    """
    meant = _within(event.esp_event, "mail").get("destination") or [event.recipient]
    return not any(meant) or _plain(address) in {_plain(str(one)) for one in meant}


def said(event: AnymailTrackingEvent) -> str:
    """In the words of the receiving server or, where it was not asked, of the provider."""
    data = _within(event.esp_event, "data")  # Resend's
    reasons = (_within(data, "failed").get("reason"), _within(data, "suppressed").get("message"))
    return str(next(filter(None, (event.mta_response, event.description, *reasons)), ""))


def reason_to_suppress(event: AnymailTrackingEvent) -> SuppressionReason | None:
    """None where the address may be written to again."""
    what = kind(event)
    if what == EventType.COMPLAINED:
        return SuppressionReason.COMPLAINED
    if what == EventType.UNSUBSCRIBED:
        return SuppressionReason.UNSUBSCRIBED
    if what not in {EventType.REJECTED, EventType.BOUNCED}:
        return None
    words = _words(event.esp_event)
    why = _within(event.esp_event, "event-data").get("reason")  # Mailgun's
    if listed := next((_ON_THEIR_LIST[word] for word in (*words, why) if word in _ON_THEIR_LIST), None):
        return listed
    if what == EventType.REJECTED:
        return _REASONS.get(event.reject_reason)
    return SuppressionReason.BOUNCED if _is_for_good(event, words) else None


def _is_for_good(event: AnymailTrackingEvent, words: list[str]) -> bool:
    """Whether the address is no good, rather than this mail or this day."""
    if "Permanent" in words:  # as Amazon and Resend say; of the latter Anymail reads only the sentence
        return True
    if event.reject_reason not in {None, RejectReason.BOUNCED, RejectReason.INVALID}:
        return False
    if _CODE_OF_SOFT.search(str(event.mta_response or "")):
        return False
    return not any(_SOFT.search(word) or word in _SOFT_CLASSES for word in words)


def _words(raw: Any) -> list[str]:
    if not isinstance(raw, dict):
        return []
    found = [raw[key] for key in _NAMES if isinstance(raw.get(key), str)]
    for key in _WITHIN:
        found += _words(raw.get(key))
    return found


def _within(raw: Any, key: str) -> dict[str, Any]:
    found = raw.get(key) if isinstance(raw, dict) else None
    return found if isinstance(found, dict) else {}


def _plain(address: str) -> str:
    """Providers write a domain in ASCII, and some an address in small letters."""
    local, at, domain = address.strip().rpartition("@")
    with contextlib.suppress(UnicodeError):  # no domain that can be, and so none of ours
        domain = punycode(domain)
    return f"{local}{at}{domain}".casefold()
