"""An error as it is stored: readable, without secrets, and with the fingerprint that groups it."""

import hashlib
import math
import re
import traceback as tracebacks
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils import translation

from hotelagent.core.messages import TranslatableMessage, message_from_json, message_to_json
from hotelagent.core.redaction import redact_text

MESSAGE_LIMIT = 2_000  # characters
TRACEBACK_LIMIT = 20_000  # characters, counted from the end: the innermost frames say most

# PostgreSQL quotes rows: "Key (email)=(a@b.c) already exists.", "Failing row contains (1, Ana, ...)."
_ROWS = [
    (re.compile(r"(Key \([^)]*\)=)\(.*?\)(?= |$)", re.MULTILINE), r"\1(…)"),
    (re.compile(r"(Failing row contains )\(.*?\)\.?$", re.MULTILINE), r"\1(…)"),
]

# What differs between two occurrences of one error: ids, dates, long numbers.
_VARIABLE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]?[\d:.+Z]*|\b[0-9a-f]{16,}\b|\d{4,}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Report:
    """`place` is the innermost frame of our own code; empty where the error came from outside. `sentence` is the
    message as `hotelagent.core.messages` keeps it, where it is a sentence of ours."""

    type: str
    message: str
    traceback: str = ""
    place: str = ""
    sentence: dict[str, Any] | None = None

    def fingerprint(self, *, name: str) -> str:
        """16 hex digits, the same for errors that a person would call the same.

        Type and place say what broke; the message is needed too, without what varies: a mail server's
        refusals all have one type and one place.
        """
        parts = (name, self.type, self.place, _VARIABLE.sub("*", self.message)[:300])
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def describe(error: BaseException) -> Report:
    """What is stored of an exception: no local variables, redacted texts, causes included."""
    described = tracebacks.TracebackException.from_exception(error, capture_locals=False)
    sentence = _sentence(error)
    with translation.override(None):  # what is searched and grouped is the same whoever was at it
        message = message_from_json(sentence) or str(error)
    report = reported(type=_dotted(type(error)), message=message, traceback="".join(described.format()))
    return replace(report, place=_place(described.stack), sentence=sentence)


def reported(*, type: str, message: str, traceback: str = "") -> Report:  # noqa: A002
    """A report from texts that others wrote, redacted and cut to what we store."""
    return Report(
        type=type,
        message=_stored(message)[:MESSAGE_LIMIT],
        traceback=_stored(traceback)[-TRACEBACK_LIMIT:],
    )


def storable(value: Any) -> Any:
    """A copy of a JSON value that PostgreSQL's jsonb takes: without NUL, lone surrogates, NaN and infinities.

    A failure must not be lost because of what stands in it.
    """
    match value:
        case str():
            return _text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {_text(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return value


def _sentence(error: BaseException) -> dict[str, Any] | None:
    said = error.args[0] if error.args else ""
    return message_to_json(_redacted(said)) if isinstance(said, TranslatableMessage) else None


def _redacted(fact: Any) -> Any:
    if isinstance(fact, TranslatableMessage):
        return TranslatableMessage(
            _stored(fact.msgid), **{name: _redacted(inner) for name, inner in fact.params.items()}
        )
    return _stored(fact) if isinstance(fact, str) else fact


def _text(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _stored(text: str) -> str:
    for pattern, replacement in _ROWS:
        text = pattern.sub(replacement, text)
    return redact_text(_text(text))


def _dotted(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _place(stack: tracebacks.StackSummary) -> str:
    root = f"{settings.BASE_DIR}/"
    # The virtual environment may stand inside our folder.
    ours = [
        f"{frame.filename.removeprefix(root)}:{frame.name}"
        for frame in stack
        if frame.filename.startswith(root) and "site-packages" not in frame.filename
    ]
    return ours[-1] if ours else ""
