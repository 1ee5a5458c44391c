"""The search for events. Each search uses an index, or it is refused.

The filters by actor, event type, subject, request, task and act have an index each, and so have denied, failed and
severe events. The other filters read the events of a period of at most MAX_DAYS, or those that another filter finds.
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

#: The longest period for a search that no other index serves.
MAX_DAYS = 31
#: The id of an event has the time of the clock of its process, and `at` the time of the database. They differ by less.
CLOCK_TOLERANCE = datetime.timedelta(days=1)

_PERSONAL_TEXT = Func(
    F("personal"),
    template="jsonb_path_query_array(%(expressions)s, '$.*.value')::text",
    output_field=TextField(),
)


def event_choices() -> list[tuple[str, str]]:
    """Return the names of all event types as the choices of a filter."""
    return [(event_type.name, event_type.name) for event_type in registry.all_types()]


class SearchTooBroad(DomainError):
    """No index serves the search. A shorter period or another filter is needed."""

    code = "search-too-broad"
    status = 422
    title = gettext_lazy("The search is too broad")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """The conditions of a search. Empty values are not conditions.

    `actor_id` also finds the events of tasks that the actor started. `severity` is the lowest severity. `act` is the id
    of an event, and finds the events of the same request, task or database transaction. `access` finds the reading of
    personal data. `text` is a part of a plain or personal value, regardless of case.
    """

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    events: Collection[str] = ()
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
        """Return the names of the conditions, without their values."""
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
            "event__in": self._event_names(),
        }
        events = in_period(events, self.since, self.until)
        events = events.filter(**{name: value for name, value in plain.items() if value})
        if self.actor_id:
            events = by_person(events, self.actor_id)
        if self.act:
            events = events.filter(_same_act(self.act))
        if self.text:
            events = events.alias(data_text=Cast("data", TextField()), personal_text=_PERSONAL_TEXT)
            events = events.filter(Q(data_text__icontains=self.text) | Q(personal_text__icontains=self.text))
        return events.order_by("-id")

    def _event_names(self) -> list[str]:
        if not self.access:
            return list(self.events)
        reading = {event_type.name for event_type in registry.all_types() if event_type.reads_personal_data}
        return sorted(reading & set(self.events) if self.events else reading)

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
    """Return the events at or after `since` and before `until`. The query is a range of the primary key."""
    if since:
        events = events.filter(at__gte=since, id__gte=first_uuid7_at(since - CLOCK_TOLERANCE))
    if until:
        events = events.filter(at__lt=until, id__lt=first_uuid7_at(until + CLOCK_TOLERANCE))
    return events


def by_person(events: QuerySet[Event], identifier: str) -> QuerySet[Event]:
    """Return the events of an actor, and of the tasks and commands that the actor started."""
    return events.alias(person=Coalesce("initiator_id", "actor_id")).filter(person=identifier)


def _same_act(event_id: UUID) -> Q:
    """Return the condition for the events of the same request, of the same task, or of the same transaction."""
    event = Event.objects.filter(id=event_id).only("request_id", "task_id", "transaction", "at").first()
    if event is None:
        return Q(pk__in=[])
    if event.request_id:
        return Q(request_id=event.request_id)
    if event.task_id:
        return Q(task_id=event.task_id)
    return Q(transaction=event.transaction)
