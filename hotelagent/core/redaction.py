"""Removal of personal data and secrets from log lines, error reports and traces.

A value with a sensitive name, such as `password` or `guest_email`, is replaced completely. In all other texts,
everything that looks like personal data or a secret is replaced, such as e-mail addresses, card numbers and API keys.
"""

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
#: The maximum length, in characters, of a text that is searched for personal data and secrets.
#: Longer texts, such as error messages of other systems, are cut before they are searched.
MAX_LENGTH = 30_000

_SENSITIVE_NAME = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|signature|dsn|credential"
    r"|e_?mail|phone|guest_name|full_name|recipient|address_line|body|payload",
    re.IGNORECASE,
)
#: Harmless field names that match `_SENSITIVE_NAME`. Their values are kept, because they are not secret or personal.
_HARMLESS_NAMES = frozenset({"token_prefix", "template_body_length"})

# Each item of `_PATTERNS` consists of words, a pattern and a replacement.
# A pattern is applied only to texts that contain one of its words, because a search for words is much faster than a
# pattern.
# Every text that a pattern matches contains one of the pattern's words, in upper or lower case.
# A pattern for which no words are listed is applied to every text.
#
# The pattern of passwords in URLs must come before the pattern of e-mail addresses, which matches parts of such URLs.
# The patterns must not cause much backtracking, because a text of 20,000 letters could block the process for 30 s.
# To limit backtracking, each pattern starts at the beginning of a run of characters or has a limited length.
_PATTERNS = (
    (
        ("://",),
        re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{0,30}://)[^/\s@]+@", re.IGNORECASE),
        rf"\g<keep>{REDACTED}@",
    ),
    (("ha_",), re.compile(r"\bha_[A-Za-z0-9]+_[A-Za-z0-9_-]+"), REDACTED),
    (
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----END)[\s\S]){0,10000}"),
        REDACTED,
    ),
    # JSON Web Tokens: a JSON object in base64 always begins with "eyJ".
    (("eyj",), re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*"), REDACTED),
    # API keys of Stripe, OpenAI, Anthropic, Brevo, GitHub, GitLab, Slack, AWS, Google and SendGrid.
    # API keys of Mailgun, Twilio, Meta, npm, PyPI, Sentry and Resend.
    (
        (),
        re.compile(
            r"\b(?:(?:[spr]k|whsec)_\w{10,}|sk-[\w-]{16,}|xkeysib-[\w-]{16,}|xsmtpsib-[\w-]{16,}|gh[pousr]_\w{16,}"
            r"|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}"
            r"|ya29\.[\w-]{16,}|SG\.[\w-]{10,}\.[\w-]{10,}|key-[0-9a-f]{32}|(?:AC|SK)[0-9a-f]{32}|EAA[A-Za-z0-9]{30,}"
            r"|npm_\w{30,}|pypi-[\w-]{30,}|sntr[yu]s_[\w=]{20,}|re_[A-Za-z0-9]{8,}_\w{16,})"
        ),
        REDACTED,
    ),
    (
        ("bearer", "basic", "token"),
        re.compile(r"\b(?P<keep>bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<keep> {REDACTED}",
    ),
    (
        ("password", "passwd", "secret", "token", "authorization", "apikey", "api-key", "api_key"),
        re.compile(
            r"""(?P<keep>(?<![\w-])[\w-]*(?:password|passwd|secret|token|authorization|api[_-]?key)["']?\s*[:=]\s*)"""
            r"""(?:"[^"]*"|'[^']*'|(?!bearer|basic)[^\s,;&)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\g<keep>{REDACTED}",
    ),
    # The query string of a URL. A question mark that ends a sentence does not match, because a space follows it.
    (("?",), re.compile(r"(?P<keep>/[^\s?\"'<>/]*)\?[^\s\"'<>]+"), rf"\g<keep>?{REDACTED}"),
    (
        ("@",),
        re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"),
        REDACTED,
    ),
    # Signatures and tokens of 256 bits in base64 that are the last part of a URL's path, as in unsubscribe links.
    # The second alternative of the pattern matches Django's tokens in links that set a password.
    (
        ("/",),
        re.compile(
            r"(?P<keep>/(?:[0-9a-f]{32}\.)?)(?:(?=[\w-]{0,42}\d)[\w-]{43}|[0-9a-z]{6,7}-[0-9a-f]{32,64})(?![\w-])"
        ),
        rf"\g<keep>{REDACTED}",
    ),
    # International bank account numbers (IBANs), with or without separators.
    ((), re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b"), REDACTED),
)
# The next patterns match only texts that contain seven digits, with at most two separators between two digits.
_SEVEN_DIGITS = re.compile(r"\d(?:[\s().-]{0,2}\d){6}")
_NUMBERS = (
    # Card numbers: 13 to 19 digits, with or without separators.
    re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])"),
    # The three patterns for phone numbers match a country code, groups of digits, or 9 to 15 digits in a row.
    re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[\s().-]{0,2}\d){6,14}(?!\w)"),
    re.compile(r"(?<![\w.:-])\(?\d{2,4}\)?[ .-]\d{3,4}[ .-]\d{4}(?![\w:-])"),
    re.compile(r"(?<![\w.:/-])\d{9,15}(?![\w.:-])"),
)


def redact_text(text: str) -> str:
    """Return the text with everything that looks like personal data or a secret replaced by `REDACTED`.

    Texts of more than MAX_LENGTH characters are cut.
    """
    if len(text) > MAX_LENGTH:
        # Remove the last word of the shortened text. It may be a part of a secret, which the patterns would not
        # recognize.
        text = text[:MAX_LENGTH].rpartition(" ")[0] + " […]"
    # Use casefold(), because a pattern that ignores case also matches letters such as the long s.
    # casefold() converts these letters, but lower() does not.
    folded = text.casefold()
    for words, pattern, replacement in _PATTERNS:
        if not words or any(word in folded for word in words):
            text = pattern.sub(replacement, text)
    if _SEVEN_DIGITS.search(text):
        for pattern in _NUMBERS:
            text = pattern.sub(REDACTED, text)
    return text


def redact(value: Any) -> Any:
    """Return a copy of the value without personal data and secrets.

    Mappings are returned as dicts, sequences and sets as lists, and other objects as text.
    """
    match value:
        case str():
            return redact_text(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {key: _redact_named(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(item) for item in value]
        case _:
            return redact_text(str(value))


def redact_event(_logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Remove personal data and secrets from a log event. Only the structlog processor that renders the line follows."""
    return {
        # The fields `timestamp`, `level` and `logger` contain no personal data, so they are kept unchanged.
        # The redaction patterns would redact the timestamp, because the timestamp looks like a phone number.
        key: value if key in {"timestamp", "level", "logger"} else _redact_named(key, value)
        for key, value in event.items()
    }


def _redact_named(name: str, value: Any) -> Any:
    if value is not None and name not in _HARMLESS_NAMES and _SENSITIVE_NAME.search(name):
        return REDACTED
    return redact(value)
