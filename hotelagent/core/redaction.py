"""What a log may never hold, and how it is taken out: personal data, secrets, what people typed into an address.

Two nets. A value under a telling name (`password`, `guest_email`) goes whole; in every other text, whatever
looks like an e-mail, a phone, a key, a credential or a query string goes, wherever it stands, also in tracebacks.
"""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[redacted]"

_TELLING = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|signature|dsn|credential"
    r"|e_?mail|phone|guest_name|full_name|recipient|address_line|body|payload",
    re.IGNORECASE,
)
#: Names that a telling word stands in and that are no secret themselves.
_HARMLESS = frozenset({"token_prefix", "template_body_length"})

# Most specific first: a DSN holds what looks like an e-mail. Each begins where its run of characters begins, or
# is bounded: a text is others' to choose, and 20,000 letters must not take half a minute.
_PATTERNS = (
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{0,30}://)[^/\s@]+@", re.IGNORECASE), rf"\g<keep>{HIDDEN}@"),
    (re.compile(r"\bha_[A-Za-z0-9]+_[A-Za-z0-9_-]+"), HIDDEN),
    (
        re.compile(r"\b(?P<keep>bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<keep> {HIDDEN}",
    ),
    (
        re.compile(
            r"""(?P<keep>(?<![\w-])[\w-]*(?:password|passwd|secret|token|authorization|api[_-]?key)["']?\s*[:=]\s*)"""
            r"""(?:"[^"]*"|'[^']*'|(?!bearer|basic)[^\s,;&)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\g<keep>{HIDDEN}",
    ),
    # The question mark of an address, not of a sentence: something follows it at once.
    (re.compile(r"(?P<keep>/[^\s?\"'<>/]*)\?[^\s\"'<>]+"), rf"\g<keep>?{HIDDEN}"),
    (re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"), HIDDEN),
    # Phones: with a country code; in groups; or nine to fifteen digits that stand alone.
    (re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[\s().-]{0,2}\d){6,14}(?!\w)"), HIDDEN),
    (re.compile(r"(?<![\w.:-])\(?\d{2,4}\)?[ .-]\d{3,4}[ .-]\d{4}(?![\w:-])"), HIDDEN),
    (re.compile(r"(?<![\w.:/-])\d{9,15}(?![\w.:-])"), HIDDEN),
)


def redact_text(text: str) -> str:
    """`text` without anything that looks like personal data or a secret."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """A copy of `value`, of the same shape, fit for a log."""
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
    """structlog's processor: the last thing before an event becomes text."""
    return {
        # The clock's text is digits and nothing else; it comes from us.
        key: value if key in {"timestamp", "level", "logger"} else _redact_named(key, value)
        for key, value in event.items()
    }


def _redact_named(name: str, value: Any) -> Any:
    if value is not None and name not in _HARMLESS and _TELLING.search(name):
        return HIDDEN
    return redact(value)
