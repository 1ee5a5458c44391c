"""Conversion of exceptions to error reports: redacted texts for storage, and a fingerprint that groups equal errors."""

import hashlib
import re
import traceback as tracebacks
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils import translation

from hotelagent.core.messages import TranslatableMessage, message_from_json, message_to_json
from hotelagent.core.redaction import REDACTED, redact_text
from hotelagent.core.text import storable

MAX_TYPE_LENGTH = 150
MAX_LOCATION_LENGTH = 300
MAX_MESSAGE_LENGTH = 2_000
#: Maximum number of characters of a traceback.
#: The beginning of a longer traceback is cut, because the innermost frames are at the end.
MAX_TRACEBACK_LENGTH = 20_000
#: A text is redacted before it is cut to the maximum length, so that a secret at the cut is recognized.
#: A text can be very long, so it is cut to its maximum length plus this number of characters before it is redacted.
_MARGIN = 1_000

# These patterns find column values in PostgreSQL's error messages, such as "Key (email)=(a@b.c) already exists."
_ROW_VALUES = [
    (re.compile(r"(Key \([^()]{0,500}\)=)\([^\n]{0,5000}\)(?= |$)", re.MULTILINE), r"\1(…)"),
    (re.compile(r"(Failing row contains )\([^\n]{0,20000}\)\.?$", re.MULTILINE), r"\1(…)"),
]

#: Only this number of characters of an error message is part of the fingerprint.
_FINGERPRINT_LENGTH = 300
# This pattern matches the parts of an error message that differ between two occurrences of the same error.
# The group `keep` of the pattern matches numbers that identify the error. These numbers are not removed.
# Numbers that identify an error are status codes ("HTTP 404", "[Errno 111]") and codes of mail servers ("550 5.1.1").
_VARIABLE_PARTS = re.compile(
    r"""
    (?P<keep>
        \b(?:HTTP(?:/\d(?:\.\d)?)?|status|code|errno|SQLSTATE|signal)\b[\s:=#(]{0,3}\d{1,5}\b
        | (?<![\w.])[245]\.\d{1,3}\.\d{1,3}(?![\w.])
        | (?<![\w.])[245]\d\d(?=[\ -][245]\.\d{1,3}\.\d)
        | (?:^|(?<=[(:]\ )|(?<=\())[45]\d\d(?=[\ ,-])
    )
    | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}                                # UUIDs
    | \d{4}-\d\d-\d\d[T ]?[\d:.+Z]*                                             # dates and times
    | \d{1,2}[ ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[ ]\d{4}
    | 0x[0-9a-f]+                                                                # memory addresses
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+                             # e-mail addresses
    | \[redacted\]
    | /tmp/[^\s'"]+
    | (?<!\w)(?P<quote>['"])(?P<single>[^'"\n]{0,60})(?P=quote)(?!\w)            # quoted values
    | “[^“”\n]{0,100}” | «[^«»\n]{0,100}»
    | \b(?=[a-f]*\d)[0-9a-f]{8,}\b                                              # digests and other hexadecimal ids
    | [-+]?\d+(?:[.,:]\d+)*                                                     # numbers, amounts and times
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REPEATED = re.compile(r"\*(?:[\s,;]+\*)+")
#: Types of errors whose messages quote names in the code or in the database, such as the missing key of a dict.
#: Errors that quote different names are different errors, so these names are part of the fingerprint.
_QUOTES_ARE_NAMES = frozenset(
    {
        "AttributeError",
        "ImportError",
        "KeyError",
        "ModuleNotFoundError",
        "NameError",
        "TypeError",
        "UnboundLocalError",
        "django.db.utils.IntegrityError",
        "django.db.utils.ProgrammingError",
    }
)
_NAME = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error in its stored form.

    `location` is the innermost stack frame in the project's code, or empty for errors that other systems reported.
    `translatable_message` is the JSON form of the message (`hotelagent.core.messages`), or None if the message cannot
    be translated.
    """

    type: str
    message: str
    traceback: str = ""
    location: str = ""
    translatable_message: dict[str, Any] | None = None

    def fingerprint(self, *, name: str) -> str:
        """Return 16 hexadecimal digits that are the same for occurrences of the same error.

        The type and the location of the error are not enough, because they are the same for all rejections by a mail
        server. The fingerprint therefore also includes the error message without its variable parts.
        """
        parts = (name, self.type, self.location, self._constant_message())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def _constant_message(self) -> str:
        """Return the beginning of the error message, with an asterisk for each part that varies."""

        def replace_part(match: re.Match[str]) -> str:
            text = match["single"]
            is_name = self.type in _QUOTES_ARE_NAMES and text is not None and _NAME.fullmatch(text)
            return match[0] if match["keep"] or is_name else "*"

        return _REPEATED.sub("*", _VARIABLE_PARTS.sub(replace_part, self.message))[:_FINGERPRINT_LENGTH]

    def as_json(self, *, name: str) -> dict[str, Any]:
        """Return the error in the form that the database functions `dlq_capture` and `dlq_store_group` need."""
        return {
            "type": self.type,
            "message": self.message,
            "translatable_message": self.translatable_message,
            "fingerprint": self.fingerprint(name=name),
            "location": self.location,
            "traceback": self.traceback,
        }

    def as_fields(self, *, name: str) -> dict[str, Any]:
        """Return the error as a dict with values for the fields that `Failure` and `Attempt` have in common."""
        return {
            "error_type": self.type,
            "error_message": self.message,
            "translatable_message": self.translatable_message,
            "fingerprint": self.fingerprint(name=name),
        }


def report_exception(error: BaseException) -> ErrorReport:
    """Return an error report of an exception and its causes. The traceback does not contain local variables.

    The error message and the traceback are redacted. If the exception cannot be formatted, for example because its
    `__str__` raises an error, the report says that the error cannot be displayed.
    """
    try:
        return _report_exception(error)
    except Exception as problem:  # noqa: BLE001 - an exception may run any code when it is formatted
        text = f"The error cannot be displayed ({type(problem).__name__})."
        return report_texts(type=_qualified_name(type(error)), message=text)


def _report_exception(error: BaseException) -> ErrorReport:
    exception = tracebacks.TracebackException.from_exception(error, capture_locals=False)
    translatable = _translatable_message(error)
    # The error message is stored in English, because searches and fingerprints compare English messages.
    with translation.override(None):
        message = message_from_json(translatable) or str(error)
    report = report_texts(
        type=_qualified_name(type(error)), message=message, traceback="".join(exception.format())
    )
    return replace(report, location=storable(_location(exception.stack)), translatable_message=translatable)


def report_texts(*, type: str, message: str, traceback: str = "") -> ErrorReport:  # noqa: A002
    """Return the report of an error that another system describes. The texts are redacted, and cut to their limits."""
    return ErrorReport(
        type=storable(type)[:MAX_TYPE_LENGTH],
        message=_redact(_cut_end(message, MAX_MESSAGE_LENGTH + _MARGIN))[:MAX_MESSAGE_LENGTH],
        traceback=_redact(_cut_start(traceback, MAX_TRACEBACK_LENGTH + _MARGIN))[-MAX_TRACEBACK_LENGTH:],
    )


def hide_texts(report: ErrorReport, texts: Sequence[str]) -> ErrorReport:
    """Return the report with `REDACTED` instead of these texts, such as the secret values of the payload."""
    found = [text for text in texts if text in report.message or text in report.traceback]
    if not found:
        return report
    pattern = re.compile("|".join(map(re.escape, found)))

    def hide(value: Any) -> Any:
        match value:
            case str():
                return pattern.sub(REDACTED, value)
            case dict():
                return {key: hide(item) for key, item in value.items()}
            case _:
                return value

    return replace(
        report,
        message=hide(report.message),
        traceback=hide(report.traceback),
        translatable_message=hide(report.translatable_message),
    )


def _cut_end(text: str, length: int) -> str:
    """Return at most the first `length` characters. If the cut divides a word, the whole word is removed.

    The text is redacted later, and the redaction would not recognize a part of a secret.
    """
    if len(text) <= length:
        return text
    words = text[:length].rsplit(maxsplit=1)
    return words[0] if len(words) > 1 and len(words[1]) < _MARGIN else text[:length]


def _cut_start(text: str, length: int) -> str:
    """Return at most the last `length` characters. If the first word is incomplete, the word is left out."""
    if len(text) <= length:
        return text
    words = text[-length:].split(maxsplit=1)
    return words[1] if len(words) > 1 and len(words[0]) < _MARGIN else text[-length:]


def _translatable_message(error: BaseException) -> dict[str, Any] | None:
    message = error.args[0] if error.args else ""
    if not isinstance(message, TranslatableMessage):
        return None
    return message_to_json(_redact_value(message))


def _redact_value(value: Any) -> Any:
    if isinstance(value, TranslatableMessage):
        params = {name: _redact_value(param) for name, param in value.params.items()}
        return TranslatableMessage(_redact(value.msgid), **params)
    return _redact(value) if isinstance(value, str) else value


def _redact(text: str) -> str:
    for pattern, replacement in _ROW_VALUES:
        text = pattern.sub(replacement, text)
    return redact_text(storable(text))


def _qualified_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _location(stack: tracebacks.StackSummary) -> str:
    root = f"{settings.BASE_DIR}/"
    # Leave out installed packages. Their folder can be inside the folder of the project.
    frames = [
        f"{frame.filename.removeprefix(root)}:{frame.name}"
        for frame in stack
        if frame.filename.startswith(root) and "site-packages" not in frame.filename
    ]
    return frames[-1][:MAX_LOCATION_LENGTH] if frames else ""
