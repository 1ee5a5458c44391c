"""Explanations of failures for hotel staff: what happened, and what to do, without technical terms."""

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dlq.events import NAMES
from dlq.kinds.availability import has_code
from dlq.kinds.namespaces import missing_handler_reason
from dlq.kinds.subjects import Subject
from dlq.models import WAITING_STATUSES, Failure, FailureStatus
from dlq.retries import ordering


@dataclass(frozen=True, slots=True)
class Explanation:
    """A text about a failure: the name of the failed work, what happened, and what the reader should do."""

    title: str
    happened: str
    advice: str


def work_label(name: str) -> str:
    """Return the display label of the name of a failure, or the name if it has no label."""
    return capfirst(str(NAMES[name])) if name in NAMES else name


def explain(failure: Failure, subject: Subject | None, *, may_correct: bool) -> Explanation:
    """Return the explanation of a failure. `may_correct` adds the advice to correct wrong data."""
    return Explanation(
        title=subject.title if subject else work_label(failure.name),
        happened=_happened(failure),
        advice=_missing_code(failure)
        or _missing_handler(failure)
        or ordering.waiting_reason(failure)
        or _advice(failure, subject, may_correct=may_correct),
    )


def _missing_code(failure: Failure) -> str:
    if failure.status not in WAITING_STATUSES or has_code(failure):
        return ""
    return _(
        "This version of the application has no code for {name}. The failure is kept. It can be retried when a "
        "version that has the code is deployed."
    ).format(name=failure.name)


def _missing_handler(failure: Failure) -> str:
    if failure.status not in WAITING_STATUSES:
        return ""
    return missing_handler_reason(name=failure.name, source=failure.source)


def _happened(failure: Failure) -> str:
    count = failure.attempt + 1
    times = ngettext(
        "The work was tried %(count)d time, on %(at)s.",
        "The work was tried %(count)d times, most recently on %(at)s.",
        count,
    )
    return times % {"count": count, "at": _format(failure.last_seen_at)}


def _advice(failure: Failure, subject: Subject | None, *, may_correct: bool) -> str:
    match failure.status:
        case FailureStatus.SCHEDULED if failure.next_retry_at:
            text = _("The failure will be retried automatically on %(at)s. You do not need to do anything.")
            return text % {"at": _format(failure.next_retry_at)}
        case FailureStatus.RETRYING:
            return _("The failure is being retried now. Reload this page in a minute to see the result.")
        case FailureStatus.RESOLVED:
            return _("The work succeeded. There is nothing to do.")
        case FailureStatus.DISCARDED:
            return _("The failure was discarded, so it is not retried.")
        case FailureStatus.IN_DOUBT:
            return _(
                "It is unknown whether the work was done, because the last attempt did not report its result. "
                "Check whether the work was done. If so, discard the failure. If not, retry the failure."
            )
    steps = []
    if subject:
        steps.append(_("Open the linked page and fix the cause."))
    if may_correct:
        steps.append(
            _(
                "If the data below are wrong, correct them. The failure is then retried with the corrected data."
            )
        )
    steps.append(
        _(
            "When the cause is fixed, retry the failure. If the work is not needed any more, discard the failure."
        )
    )
    return " ".join([_("The failure is not retried automatically."), *steps])


def _format(moment: object) -> str:
    return date_format(localtime(moment), "DATETIME_FORMAT")  # type: ignore[arg-type]
