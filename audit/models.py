"""The audit trail's table, with one row per event. A trigger rejects UPDATE, DELETE and TRUNCATE."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.errors import EventTypeNotFound
from hotelagent.core.ids import uuid7


class ActorKind(models.TextChoices):
    """The kinds of actors: who or what performed an operation (`tenants.context.Actor`)."""

    USER = "user", _("staff member")
    KEY = "key", _("API key")
    TASK = "task", _("task")
    COMMAND = "command", _("command")
    SYSTEM = "system", _("system")
    ANONYMOUS = "anonymous", _("anonymous")


#: Actors that are displayed as "hotelagent", because neither a person nor an API client requested the operation.
_AUTOMATIC = frozenset({ActorKind.TASK, ActorKind.SYSTEM})


class Event(models.Model):
    """An entry of the audit trail: an operation that was performed or denied. The row never changes.

    Events are ordered by `id`, a UUIDv7 from the clock of the process that records the event. The displayed time `at`
    comes from the database clock. Events refer to people and objects by kind and id, and contain no names or addresses
    of guests.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    event = models.CharField(_("event"), max_length=60)
    actor_kind = models.CharField(_("actor kind"), max_length=12, choices=ActorKind)
    actor_id = models.CharField(_("actor ID"), max_length=64, blank=True)
    actor_label = models.CharField(_("actor"), max_length=200, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    subject_kind = models.CharField(_("subject kind"), max_length=40, blank=True)
    subject_id = models.CharField(_("subject ID"), max_length=64, blank=True)
    data = models.JSONField(_("data"), default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [
            # The index for the history of an object, which is the subject of its events.
            # The index omits `subject_kind`, because objects of different kinds rarely have the same id.
            models.Index(fields=["subject_id", "id"], name="audit_event_subject"),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def subject(self) -> str:
        return f"{self.subject_kind} {self.subject_id}".strip()

    @property
    def description(self) -> str:
        """The description in the active language, or the raw data if the event's type no longer exists."""
        actor = "hotelagent" if self.actor_kind in _AUTOMATIC else self.actor_label
        actor = actor or self.get_actor_kind_display()
        try:
            event_type = registry.get(self.event)
        except EventTypeNotFound:
            return f"{actor}: {self.event} {self.subject} {self.data}"
        return event_type.describe(actor=actor, subject=self.subject, data=self.data)
