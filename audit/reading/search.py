"""The search for events in the audit trail. A search that no index can serve is refused.

There is an index for each of the filters by actor, event type, subject, request, task and transaction, and an index for
denied, failed and severe events. A category is searched as the list of its event types. All other filters need a second
filter with an index, or a period of at most MAX_DAYS.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass, fields
from uuid import UUID

from django.db.models import F, Func, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import registry
from audit.models import Event
from audit.registry import Outcome, Severity
from hotelagent.core.ids import first_uuid7_at
from tenants.errors import DomainError

#: The maximum number of days in a search that has only filters without an index.
MAX_DAYS = 31
#: The maximum difference between the clock of a process, from which event ids come, and the clock of the database.
CLOCK_TOLERANCE = datetime.timedelta(days=1)

_PERSONAL_TEXT = Func(
    F("personal"),
    template="jsonb_path_query_array(%(expressions)s, '$.*.value')::text",
    output_field=TextField(),
)


def event_choices() -> list[tuple[str, str]]:
    """Return the names of all event types in the form of the choices of a Django field."""
    return [(event_type.name, event_type.name) for event_type in registry.all_types()]


class SearchTooBroad(DomainError):
    """The search needs a shorter period or another filter, because no index can serve it."""

    code = "search-too-broad"
    status = 422
    title = gettext_lazy("The search is too broad")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """The conditions of a search for events. An empty value is not a condition.

    `actor_id` finds the events of an actor and of the tasks that the actor started. `severity` is the minimum severity.
    `act` is the id of an event, and finds all events of the same request, task or database transaction. `access` finds
    events about access to personal data. `categories` finds the events whose types have one of these categories. `text`
    finds events with a plain or personal value that contains this text, regardless of case.
    """

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    events: Collection[str] = ()
    categories: Collection[str] = ()
    actor_kind: str = ""
    actor_id: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    outcome: Outcome | None = None
    severity: Severity | None = None
    request_id: str = ""
    task_id: str = ""
    act: UUID | None = None
    access: bool = False
    text: str = ""

    def names(self) -> list[str]:
        """Return the names of the conditions that are set, without their values."""
        return [field.name for field in fields(self) if getattr(self, field.name)]

    def apply(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """Return the events that meet all conditions, newest first. Raises SearchTooBroad."""
        self._check_breadth()
        plain = {
            "actor_kind": self.actor_kind,
            "subject_kind": self.subject_kind,
            "subject_id": self.subject_id,
            "outcome": self.outcome,
            "severity__gte": self.severity,
            "request_id": self.request_id,
            "task_id": self.task_id,
        }
        events = in_period(events, self.since, self.until)
        events = events.filter(**{name: value for name, value in plain.items() if value})
        if (names := self._event_names()) is not None:
            events = events.filter(event__in=names)
        if self.actor_id:
            events = by_person(events, self.actor_id)
        if self.act:
            events = events.filter(_same_act(self.act))
        if self.text:
            events = events.alias(data_text=Cast("data", TextField()), personal_text=_PERSONAL_TEXT)
            events = events.filter(Q(data_text__icontains=self.text) | Q(personal_text__icontains=self.text))
        return events.order_by("-id")

    def _event_names(self) -> list[str] | None:
        """Return the names of the event types that the search finds, or None if it finds all types."""
        if not (self.categories or self.access):
            return list(self.events) or None
        return [
            event_type.name
            for event_type in registry.all_types()
            if (not self.events or event_type.name in self.events)
            and (not self.categories or event_type.category in self.categories)
            and (not self.access or event_type.reads_personal_data)
        ]

    def _check_breadth(self) -> None:
        has_index = (
            any(
                (
                    self.events,
                    self.actor_id,
                    self.subject_id,
                    self.request_id,
                    self.task_id,
                    self.act,
                    self.access,
                )
            )
            or (self.outcome or Outcome.SUCCESS) > Outcome.SUCCESS
            or (self.severity or Severity.INFO) >= Severity.WARNING
        )
        needs_index = any((self.text, self.actor_kind, self.subject_kind, self.severity))
        if needs_index and not has_index and not self._is_short_period():
            raise SearchTooBroad(
                _(
                    "Add a period of at most {days} days, or a filter by actor, event type, subject, request or task."
                ).format(days=MAX_DAYS)
            )

    def _is_short_period(self) -> bool:
        if self.since is None:
            return False
        until = self.until or datetime.datetime.now(datetime.UTC)
        return until - self.since <= datetime.timedelta(days=MAX_DAYS)


def in_period(
    events: QuerySet[Event], since: datetime.datetime | None, until: datetime.datetime | None
) -> QuerySet[Event]:
    """Return the events at or after `since` and before `until`.

    The query reads only a range of the primary key, because an event id begins with the time.
    """
    if since:
        events = events.filter(at__gte=since, id__gte=first_uuid7_at(since - CLOCK_TOLERANCE))
    if until:
        events = events.filter(at__lt=until, id__lt=first_uuid7_at(until + CLOCK_TOLERANCE))
    return events


def by_person(events: QuerySet[Event], identifier: str) -> QuerySet[Event]:
    """Return the events of one actor, and the events of the tasks and commands that this actor started."""
    return events.alias(person=Coalesce("initiator_id", "actor_id")).filter(person=identifier)


def _same_act(event_id: UUID) -> Q:
    """Return the condition for all events of the same request as the given event.

    For an event without a request, the task is used instead, and for an event without a task the database transaction.
    """
    event = Event.objects.filter(id=event_id).only("request_id", "task_id", "transaction", "at").first()
    if event is None:
        return Q(pk__in=[])
    if event.request_id:
        return Q(request_id=event.request_id)
    if event.task_id:
        return Q(task_id=event.task_id)
    return Q(transaction=event.transaction)
