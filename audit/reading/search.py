"""The search for events in the audit trail. A search that no index can serve is refused.

The search index (`audit.indexing`) serves the filters by actor, event type, subject, request and task, and the search
for denied, failed and severe events. A category is searched as the list of its event types. Another index serves the
search for the events of a transaction. All other filters need a second filter with an index, or a period of at most
MAX_DAYS.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from uuid import UUID

from django.db.models import F, Func, Model, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import registry
from audit.indexing.terms import Property, first_id_of, periods_of_request, term
from audit.models import ActorKind, Event
from audit.reading.indexed_events import IndexCondition, find_with_index, read_unsealed_from
from audit.registry import EventType, Outcome, Severity
from audit.selectors import CLOCK_TOLERANCE
from hotelagent.core.ids import first_uuid7_at
from tenants.errors import DomainError

#: The maximum number of days in a search that has only filters without an index.
MAX_DAYS = 31

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
        indexed = self.index_conditions()
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
            same_act, same_act_indexed = _same_act(self.act)
            events = events.filter(same_act)
            indexed = [*same_act_indexed, *indexed]
        if self.text:
            events = events.alias(data_text=Cast("data", TextField()), personal_text=_PERSONAL_TEXT)
            events = events.filter(Q(data_text__icontains=self.text) | Q(personal_text__icontains=self.text))
        events = events.order_by("-id")
        return self._with_index(events, indexed) if indexed else events

    def index_conditions(self) -> list[IndexCondition]:
        """Return the conditions that the search index serves. The condition that is probably rarest comes first."""
        conditions = []
        if self.request_id:
            conditions.append(_request_condition(self.request_id))
        if self.task_id:
            conditions.append(IndexCondition([term(Property.TASK, self.task_id)]))
        if self.subject_id:
            conditions.append(IndexCondition([term(Property.SUBJECT, self.subject_id)]))
        if self._finds_only_notable():
            conditions.append(IndexCondition([term(Property.NOTABLE)]))
        if self.actor_id:
            conditions.append(IndexCondition([term(Property.PERSON, self.actor_id)]))
        if (names := self._event_names()) is not None:
            conditions.append(IndexCondition([term(Property.EVENT_TYPE, name) for name in names]))
        return conditions

    def _with_index(self, events: QuerySet[Event], conditions: list[IndexCondition]) -> QuerySet[Event]:
        """Return a query set that uses the search index.

        Raises SearchTooBroad if too many events are not sealed, because these events are not in the index.
        """
        unsealed_from = read_unsealed_from()
        if unsealed_from is not None and not self._is_short_period():
            oldest = Event.objects.filter(id__gte=first_id_of(unsealed_from)).order_by("id").first()
            if oldest and datetime.datetime.now(datetime.UTC) - oldest.at > datetime.timedelta(days=MAX_DAYS):
                raise SearchTooBroad(
                    _(
                        "The audit trail has not been sealed for more than {days} days, so older events are not in the "
                        "search index. Add a period of at most {days} days."
                    ).format(days=MAX_DAYS)
                )
        return find_with_index(events, conditions, unsealed_from=unsealed_from)

    def _finds_only_notable(self) -> bool:
        return (self.outcome or Outcome.SUCCESS) > Outcome.SUCCESS or (
            self.severity or Severity.INFO
        ) >= Severity.WARNING

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
        # A category has many event types, so a search by text in a category would read too many events.
        has_index = self.act is not None or bool(replace(self, categories=()).index_conditions())
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


def _request_condition(request_id: str) -> IndexCondition:
    return IndexCondition([term(Property.REQUEST, request_id)], periods_of_request(request_id))


def _same_act(event_id: UUID) -> tuple[Q, list[IndexCondition]]:
    """Return a condition for the events of the given event's request, and conditions for the search index.

    If the event has no request, the task of the event is used, or else its database transaction. Row changes have no
    request and no task, so they are found by the transactions of the other events.
    """
    event = Event.objects.filter(id=event_id).first()
    if event is None:
        return Q(pk__in=[]), []
    event = event.cause or event
    if event.request_id:
        same, indexed = Q(request_id=event.request_id), [_request_condition(event.request_id)]
    elif event.task_id:
        same, indexed = Q(task_id=event.task_id), [IndexCondition([term(Property.TASK, event.task_id)])]
    else:
        return Q(transaction=event.transaction), []
    found = find_with_index(Event.objects.filter(same), indexed, unsealed_from=read_unsealed_from())
    transactions = set(found.values_list("transaction", flat=True))
    # A restore sets the transaction numbers of the restored events to zero.
    if min(transactions, default=0) == 0:
        return same, indexed
    period = Q(transaction__gte=min(transactions), transaction__lte=max(transactions))
    return period & (same | Q(actor_kind=ActorKind.DATABASE, transaction__in=transactions)), []


def timeline(*, kind: str, identifier: object) -> QuerySet[Event]:
    """Return the events about one subject (an object with this kind and id), newest first."""
    return _of_subject(str(identifier)).filter(subject_kind=kind)


def object_timeline(obj: Model) -> QuerySet[Event]:
    """Return the events of a model instance, newest first.

    If the primary key is a UUID, events of all subject kinds are returned, because a hold keeps its id when it becomes
    a stay. An integer key is unique only within one model, so only events of one subject kind are returned.
    """
    if isinstance(obj.pk, int):
        return timeline(kind=str(obj._meta.model_name), identifier=obj.pk)
    return _of_subject(str(obj.pk))


def _of_subject(identifier: str) -> QuerySet[Event]:
    events = Event.objects.filter(subject_id=identifier).order_by("-id")
    indexed = [IndexCondition([term(Property.SUBJECT, identifier)])]
    return find_with_index(events, indexed, unsealed_from=read_unsealed_from())


def events_of_type(event_type: EventType) -> QuerySet[Event]:
    """Return the events of one type, newest first."""
    events = Event.objects.filter(event=event_type.name).order_by("-id")
    indexed = [IndexCondition([term(Property.EVENT_TYPE, event_type.name)])]
    return find_with_index(events, indexed, unsealed_from=read_unsealed_from())
