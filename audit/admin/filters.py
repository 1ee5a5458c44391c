"""The filters of the list of audit events in the admin. The function `search_of` combines them into one search."""

import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import IntegerChoices, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from audit.models import ActorKind, Event
from audit.reading.search import EventSearch, event_choices
from audit.registry import Category, Outcome, Severity
from hotelagent.admin.filters import PeriodFilter

#: The name of the request attribute that stores the start and end of the entered period.
_PERIOD = "audit_period"
_Choices = TypeVar("_Choices", bound=IntegerChoices)


class _SearchFilter:
    """A filter of the event list. `search_of` applies the filter, so `queryset` returns the events unchanged."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset


class _ChoiceFilter(_SearchFilter, DropdownFilter):  # type: ignore[misc]
    pass


class _TextFilter(_SearchFilter, TextFilter):  # type: ignore[misc]
    pass


def _lookups(choices: type[IntegerChoices]) -> list[tuple[str, Any]]:
    return [(str(member.value), member.label) for member in choices]


class EventTypeFilter(_ChoiceFilter):
    title = _("event type")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return event_choices()


class CategoryFilter(_ChoiceFilter):
    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Category.choices)


class ActorKindFilter(_ChoiceFilter):
    title = _("actor kind")
    parameter_name = "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ActorKind.choices)


class OutcomeFilter(_ChoiceFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return _lookups(Outcome)


class SeverityFilter(_ChoiceFilter):
    title = _("minimum severity")
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return _lookups(Severity)


class AccessFilter(_ChoiceFilter):
    title = _("access to personal data")
    parameter_name = "access"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("only events about access to personal data"))]


class ActorFilter(_TextFilter):
    title = _("actor ID")
    parameter_name = "actor_id"


class SubjectFilter(_TextFilter):
    title = _("subject ID")
    parameter_name = "subject_id"


class RequestFilter(_TextFilter):
    title = _("request ID")
    parameter_name = "request_id"


class TaskFilter(_TextFilter):
    title = _("task ID")
    parameter_name = "task_id"


class ActFilter(_TextFilter):
    title = _("same request or task as the event with this ID")
    parameter_name = "act"


class ContentFilter(_TextFilter):
    title = pgettext_lazy("audit trail", "text")
    parameter_name = "text"


class TrailPeriodFilter(PeriodFilter):
    """The filter by period.

    The filter only stores the entered period in the request. The function `search_of` applies the period to the search,
    which limits the range of the primary key, so that the search can use an index.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        setattr(request, _PERIOD, (self._time("from"), self._time("to")))
        return queryset


def search_of(request: HttpRequest) -> EventSearch:
    """Convert the filters in the URL of the event list to a search. Filter values that are not valid are ignored."""
    values = {name: request.GET.get(name, "").strip() for name in _NAMES}
    since, until = getattr(request, _PERIOD, (None, None))
    return EventSearch(
        since=since,
        until=until and until + datetime.timedelta(microseconds=1),
        events=[values["event"]] if values["event"] else [],
        categories=[values["category"]] if values["category"] in Category.values else [],
        actor_kind=values["actor_kind"],
        actor_id=values["actor_id"],
        subject_id=values["subject_id"],
        outcome=_member_or_none(Outcome, values["outcome"]),
        severity=_member_or_none(Severity, values["severity"]),
        request_id=values["request_id"],
        task_id=values["task_id"],
        act=_uuid_or_none(values["act"]),
        access=bool(values["access"]),
        text=values["text"],
    )


FILTERS: list[Any] = [
    ("at", TrailPeriodFilter),
    CategoryFilter,
    EventTypeFilter,
    ActorFilter,
    ActorKindFilter,
    SubjectFilter,
    OutcomeFilter,
    SeverityFilter,
    AccessFilter,
    RequestFilter,
    TaskFilter,
    ActFilter,
    ContentFilter,
]
_NAMES = [entry.parameter_name for entry in FILTERS if not isinstance(entry, tuple)]
_PERIOD_NAMES = [f"at_{end}_{part}" for end in ("from", "to") for part in (0, 1)]


def query_of(parameters: QueryDict) -> str:
    """Return a query string with the filters of the event list, but without the page and the order."""
    values = [(name, parameters.get(name, "").strip()) for name in (*_PERIOD_NAMES, *_NAMES)]
    return urlencode([(name, value) for name, value in values if value])


def _member_or_none(choices: type[_Choices], text: str) -> _Choices | None:
    return next((member for member in choices if str(member.value) == text), None)


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
