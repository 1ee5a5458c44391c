"""One row an event. A migration adds a trigger that refuses to change, delete or truncate them."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.errors import EventTypeNotFound
from hotelagent.core.ids import uuid7


class ActorKind(models.TextChoices):
    """The kinds that `tenants.context.Actor` has."""

    USER = "user", _("member of staff")
    KEY = "key", _("API key")
    TASK = "task", _("task")
    COMMAND = "command", _("command")
    SYSTEM = "system", _("system")
    ANONYMOUS = "anonymous", _("nobody known")


#: What nobody asked for: the sentence says that the house did it, the actor beside it which part of it.
_BY_ITSELF = frozenset({ActorKind.TASK, ActorKind.SYSTEM})


class Event(models.Model):
    """Something that someone did, or was refused. The row never changes after its insert.

    `at` is the database's clock, `id` the writer's: order by `id`, show `at`. People and things are referred
    to by kind and id; names of guests and their addresses don't belong here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    event = models.CharField(_("event"), max_length=60)
    actor_kind = models.CharField(_("kind of actor"), max_length=12, choices=ActorKind)
    actor_id = models.CharField(_("actor id"), max_length=64, blank=True)
    actor_label = models.CharField(_("actor"), max_length=200, blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    subject_kind = models.CharField(_("kind of subject"), max_length=40, blank=True)
    subject_id = models.CharField(_("subject id"), max_length=64, blank=True)
    data = models.JSONField(_("data"), default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [
            # The timeline of one thing. Ids first: nearly all of them are unique without their kind.
            models.Index(fields=["subject_id", "id"], name="audit_event_subject"),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def subject(self) -> str:
        return f"{self.subject_kind} {self.subject_id}".strip()

    @property
    def sentence(self) -> str:
        """What happened, in the language that is active; an event whose type is gone shows its bare data."""
        actor = "hotelagent" if self.actor_kind in _BY_ITSELF else self.actor_label
        actor = actor or self.get_actor_kind_display()
        try:
            event_type = registry.get(self.event)
        except EventTypeNotFound:
            return f"{actor}: {self.event} {self.subject} {self.data}"
        return event_type.render(actor=actor, subject=self.subject, data=self.data)
