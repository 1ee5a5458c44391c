"""The table of audit events, with one row per event.

Triggers reject all changes of rows except the erasure of personal values.
"""

import datetime
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Func
from django.db.models.functions import Cast, Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.errors import EventTypeNotFound
from audit.publishing import models as _publishing  # noqa: F401
from audit.reading import models as _reading  # noqa: F401
from audit.registry import Category, Outcome, Severity
from audit.sealing import models as _sealing  # noqa: F401
from hotelagent.core.ids import uuid7
from hotelagent.core.text import visible


class ActorKind(models.TextChoices):
    """The kinds of actors: who or what performed an operation (`tenants.context.Actor`)."""

    USER = "user", _("staff member")
    #: A member of the platform's staff in a hotel. The actor's id is the id of the support session, and the person is
    #: the initiator.
    SUPPORT = "support", _("platform support")
    KEY = "key", _("API key")
    TASK = "task", _("task")
    COMMAND = "command", _("command")
    SYSTEM = "system", _("system")
    #: A row change that a database trigger recorded. The id of the actor is the login of the database session.
    DATABASE = "database", _("database")
    ANONYMOUS = "anonymous", _("anonymous")


#: If the actor has one of these kinds, descriptions name the initiator instead, or "hotelagent" without an initiator.
_AUTOMATIC = frozenset({ActorKind.TASK, ActorKind.SYSTEM, ActorKind.SUPPORT})
#: The maximum difference between the times of two events of one database transaction.
_LONGEST_ACT = datetime.timedelta(days=1)
#: The keys in the column `personal` under which the personal values of the actor and of the initiator are stored.
ORIGIN = frozenset({"actor", "initiator"})


class ExactDecoder(json.JSONDecoder):
    """A JSON decoder that returns a number with a fraction as its text, such as "1.10".

    A float would drop digits, so a changed number could be read as the same number.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_float=str, **options)


class Event(models.Model):
    """An entry of the audit trail: an operation that was performed, was denied or failed.

    Events are ordered by `id`, a UUIDv7 from the clock of the process that records the event. The displayed time `at`
    comes from the clock of the database. `transaction` is the number of the database transaction that recorded the
    event.

    `data` is an object with the plain fields of the event type. `personal` is null, or an object that maps each
    personal field to {"salt", "value"}, or to {"digest"} after the field was erased. The personal values of the actor
    and of the initiator have the keys `actor` and `initiator`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    transaction = models.BigIntegerField(
        db_default=Cast(
            Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
        ),
        editable=False,
    )
    event = models.CharField(_("event"), max_length=60)
    #: The version of the event type with which the event was recorded.
    version = models.SmallIntegerField(_("version"), default=1)
    severity = models.SmallIntegerField(_("severity"), choices=Severity, default=Severity.INFO)
    outcome = models.SmallIntegerField(_("outcome"), choices=Outcome, default=Outcome.SUCCESS)
    actor_kind = models.CharField(_("actor kind"), max_length=12, choices=ActorKind)
    actor_id = models.CharField(_("actor ID"), max_length=64, blank=True)
    #: The person or API key that started the task or the command. Null if the actor acted directly.
    initiator_kind = models.CharField(_("initiator kind"), max_length=12, choices=ActorKind, null=True)
    initiator_id = models.CharField(_("initiator ID"), max_length=64, null=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    task_id = models.CharField(_("task ID"), max_length=64, blank=True)
    #: The id of the request's Idempotency-Key. Repeated requests with this key get the stored response.
    idempotency_key = models.CharField(_("idempotency key"), max_length=64, blank=True)
    subject_kind = models.CharField(_("subject kind"), max_length=40, blank=True)
    subject_id = models.CharField(_("subject ID"), max_length=64, blank=True)
    data = models.JSONField(_("data"), default=dict, decoder=ExactDecoder)
    personal = models.JSONField(_("personal data"), null=True, decoder=ExactDecoder)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        # Searches use `SearchTerm`, so that a transaction that records an event writes only two small indexes.
        indexes = [
            # The index for sealing, which reads the newest transactions. Rows are stored nearly in transaction order.
            BrinIndex(
                fields=["transaction"],
                autosummarize=True,
                pages_per_range=32,
                name="audit_event_transaction",
            ),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def subject(self) -> str:
        return f"{self.subject_kind} {self.subject_id}".strip()

    @property
    def category(self) -> Category | None:
        """The category of the event type, or None if the event type no longer exists."""
        try:
            return registry.get(self.event).category
        except EventTypeNotFound:
            return None

    @property
    def fields(self) -> dict[str, Any]:
        """Return the plain fields of the event, and the personal fields that were not erased."""
        return {**self.data} | {name: value for name, value in self._values.items() if name not in ORIGIN}

    @property
    def erased_fields(self) -> list[str]:
        """Return the names of the personal fields whose values were erased."""
        return sorted(name for name, stored in (self.personal or {}).items() if "digest" in stored)

    @cached_property
    def cause(self) -> "Event | None":
        """The event that names the actor of a row change: the first other event of its database transaction.

        None if the rows were changed directly in the database, and None if this event is not a row change.
        `attach_causes()` reads the causes of many events with one query.
        """
        return find_causes([self]).get(self.pk)

    @property
    @display(description=_("actor"))
    def actor_label(self) -> str:
        """Return the name of the actor. If no name is stored, return the id of the actor, or else the kind of actor."""
        if self.actor_kind == ActorKind.DATABASE:
            return self.cause.actor_label if self.cause else self.displayed_actor
        if self.actor_kind == ActorKind.SUPPORT:
            return self.displayed_actor
        return visible(str(self._origin("actor").get("label") or self.actor_id or self.actor_kind))

    @property
    @display(description=_("initiator"))
    def initiator_label(self) -> str:
        """Return the name of the initiator, who started the task or command.

        If no name is stored, return the id. If the event has no initiator, return an empty text.
        """
        return visible(str(self._origin("initiator").get("label") or self.initiator_id or ""))

    @property
    @display(description=_("IP address"))
    def ip(self) -> str | None:
        """Return the IP address of the client that caused the event, or None."""
        address = self._origin("actor").get("ip")
        return None if address is None else str(address)

    @property
    @display(description=_("user agent"))
    def user_agent(self) -> str:
        return visible(str(self._origin("actor").get("user_agent", "")))

    @property
    def description(self) -> str:
        """Return the description of the event in the active language.

        If the event type no longer exists, return the raw data.
        """
        try:
            event_type = registry.get(self.event)
        except EventTypeNotFound:
            return visible(f"{self.displayed_actor}: {self.event} {self.subject} {self.fields}")
        return event_type.describe(
            actor=self.displayed_actor, subject=self.subject, data=self.fields, version=self.version
        )

    @property
    def displayed_actor(self) -> str:
        if self.actor_kind == ActorKind.DATABASE:
            if self.cause:
                return self.cause.displayed_actor
            return visible(_("{login} (directly in the database)").format(login=self.actor_id))
        if self.actor_kind in _AUTOMATIC:
            return self.initiator_label or "hotelagent"
        label = self._origin("actor").get("label")
        is_program = self.actor_kind == ActorKind.COMMAND
        return str(label or (self.actor_id if is_program else "") or self.get_actor_kind_display())

    def _origin(self, name: str) -> dict[str, Any]:
        return dict(self._values.get(name, {}))

    @property
    def _values(self) -> dict[str, Any]:
        stored = self.personal or {}
        return {name: member["value"] for name, member in stored.items() if "value" in member}


class SearchTerm(models.Model):
    """An entry of the search index: in this period, events with this term were recorded (`audit.indexing.terms`).

    The entries are added when events are sealed. An entry without such an event is harmless, because a search also
    checks the events themselves.
    """

    pk = models.CompositePrimaryKey("term", "period")
    term = models.IntegerField()
    period = models.IntegerField()

    class Meta:
        db_table = "audit_search_term"

    def __str__(self) -> str:
        return f"{self.term} {self.period}"


def attach_causes(events: Iterable[Event]) -> None:
    """Read the causes (`Event.cause`) of all given events with one query."""
    events = list(events)
    causes = find_causes(events)
    for event in events:
        event.cause = causes.get(event.pk)


def find_causes(events: Iterable[Event]) -> dict[UUID, Event]:
    """Return a dict that maps the ids of row changes to their causes (`Event.cause`).

    Events of another server can have the same transaction number after a restore. So a cause may be at most
    _LONGEST_ACT older or newer than the row change.
    """
    changes = [event for event in events if event.actor_kind == ActorKind.DATABASE and event.transaction]
    if not changes:
        return {}
    transactions = {event.transaction for event in changes}
    others = Event.objects.filter(transaction__in=transactions).exclude(actor_kind=ActorKind.DATABASE)
    candidates: dict[int, list[Event]] = {}
    for event in others.order_by("id"):
        candidates.setdefault(event.transaction, []).append(event)
    causes: dict[UUID, Event] = {}
    for change in changes:
        for candidate in candidates.get(change.transaction, []):
            if abs(candidate.at - change.at) <= _LONGEST_ACT:
                causes.setdefault(change.pk, candidate)
    return causes
