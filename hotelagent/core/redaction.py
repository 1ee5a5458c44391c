"""Removal of personal data and secrets from log lines, error reports and traces.

There are two rules. A value whose name is sensitive (`password`, `guest_email`) is replaced completely. In all other
texts, tracebacks included, everything that looks like an e-mail address, a phone number, an API key, a credential or
the query string of a URL is replaced.
"""

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"

_SENSITIVE_NAME = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|signature|dsn|credential"
    r"|e_?mail|phone|guest_name|full_name|recipient|address_line|body|payload",
    re.IGNORECASE,
)
#: Names that match the pattern above and whose values are not secret.
_HARMLESS_NAMES = frozenset({"token_prefix", "template_body_length"})

# The most specific pattern comes first: the user part of a DSN also looks like an e-mail address. Each pattern starts
# at the beginning of a run of characters or has a bounded length, because clients choose the texts: without this,
# a run of 20,000 letters would take half a minute.
_PATTERNS = (
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{0,30}://)[^/\s@]+@", re.IGNORECASE), rf"\g<keep>{REDACTED}@"),
    (re.compile(r"\bha_[A-Za-z0-9]+_[A-Za-z0-9_-]+"), REDACTED),
    (
        re.compile(r"\b(?P<keep>bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<keep> {REDACTED}",
    ),
    (
        re.compile(
            r"""(?P<keep>(?<![\w-])[\w-]*(?:password|passwd|secret|token|authorization|api[_-]?key)["']?\s*[:=]\s*)"""
            r"""(?:"[^"]*"|'[^']*'|(?!bearer|basic)[^\s,;&)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\g<keep>{REDACTED}",
    ),
    # The query string of a URL. A question mark at the end of a sentence is followed by a space.
    (re.compile(r"(?P<keep>/[^\s?\"'<>/]*)\?[^\s\"'<>]+"), rf"\g<keep>?{REDACTED}"),
    (re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"), REDACTED),
    # Phone numbers: with a country code, in groups of digits, or as nine to fifteen digits in a row.
    (re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[\s().-]{0,2}\d){6,14}(?!\w)"), REDACTED),
    (re.compile(r"(?<![\w.:-])\(?\d{2,4}\)?[ .-]\d{3,4}[ .-]\d{4}(?![\w:-])"), REDACTED),
    (re.compile(r"(?<![\w.:/-])\d{9,15}(?![\w.:-])"), REDACTED),
)


def redact_text(text: str) -> str:
    """Return the text with everything that looks like personal data or a secret replaced by `REDACTED`."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """Return a redacted copy of the value: mappings as dicts, sequences and sets as lists, other objects as text."""
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
    """Redact a log event, as the last structlog processor before the event is rendered."""
    return {
        # Our own logging sets these three fields. They are not redacted, because a timestamp looks like a phone number.
        key: value if key in {"timestamp", "level", "logger"} else _redact_named(key, value)
        for key, value in event.items()
    }


def _redact_named(name: str, value: Any) -> Any:
    if value is not None and name not in _HARMLESS_NAMES and _SENSITIVE_NAME.search(name):
        return REDACTED
    return redact(value)
