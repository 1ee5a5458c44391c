"""Conversion of list filters for redrives.

A redrive is a job that retries or discards many failures. The filter of the list of failures becomes the criteria of
the redrive, and the admin shows the criteria as text.
"""

from typing import Any

from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime, make_aware
from django.utils.translation import gettext

from dlq.admin.explanations import work_label
from dlq.errors import InvalidSelection
from dlq.models import CLOSED_STATUSES, DECISION_STATUSES, RETRIED_STATUSES, FailureStatus
from dlq.selection import FailureSelection

#: The query parameters in the URL of the admin list of failures that are not filters, such as the page number.
_NOT_FILTERS = {"p", "o", "all", "e", "_changelist_filters", "action", "searched"}
#: The statuses of the failures in each view of the list. The view with the code "all" contains all failures.
VIEW_STATUSES: dict[str, tuple[str, ...]] = {
    "decision": DECISION_STATUSES,
    "retrying": RETRIED_STATUSES,
    "done": CLOSED_STATUSES,
}
_RANGE = ("last_seen_at_from_0", "last_seen_at_from_1", "last_seen_at_to_0", "last_seen_at_to_1")


def describe_filter(criteria: dict[str, Any]) -> str:
    """Return a readable text for the criteria, such as "tasks only · since May 3, 2026"."""
    parts = []
    for name, value in criteria.items():
        if name == "status":
            labels = ", ".join(str(FailureStatus(status).label) for status in value)
            parts.append(gettext("status: {labels}").format(labels=labels))
        elif name == "is_task":
            parts.append(gettext("tasks only") if value else gettext("messages only"))
        elif name in {"since", "until"}:
            time = date_format(localtime(parse_datetime(value)), "DATETIME_FORMAT")
            text = gettext("since {time}") if name == "since" else gettext("until {time}")
            parts.append(text.format(time=time))
        elif name == "name":
            parts.append(work_label(value))
        else:
            parts.append(f"“{value}”")
    return " · ".join(parts) or gettext("all open failures")


def selection_of(query: QueryDict) -> FailureSelection:
    """Convert the query string of the list of failures to the criteria of a redrive job.

    Raises InvalidSelection if the query string contains a filter that a redrive does not support.
    """
    values = {name: value for name, value in query.items() if value and name not in _NOT_FILTERS}
    criteria: dict[str, Any] = {
        "text": values.pop("q", ""),
        "name": values.pop("name", ""),
        "fingerprint": values.pop("fingerprint", ""),
    }
    view = values.pop("view", "")
    if status := values.pop("status__exact", ""):
        criteria["status"] = (status,)
    elif view in VIEW_STATUSES:
        criteria["status"] = VIEW_STATUSES[view]
    if is_task := values.pop("is_task__exact", ""):
        criteria["is_task"] = is_task == "1"
    date_from, time_from, date_to, time_to = (values.pop(name, "") for name in _RANGE)
    if date_from and time_from:
        criteria["since"] = _parse(f"{date_from} {time_from}")
    if date_to and time_to:
        criteria["until"] = _parse(f"{date_to} {time_to}")
    if values:
        raise InvalidSelection(
            gettext(
                "A redrive cannot use these filters: {names}. Remove them from the list of failures."
            ).format(names=", ".join(sorted(values)))
        )
    return FailureSelection(**criteria)


def _parse(text: str) -> Any:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidSelection(
            gettext(
                "{text} is not a valid date and time. Correct the filter of the list of failures."
            ).format(text=text[:50])
        )
    return make_aware(moment)
