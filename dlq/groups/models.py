"""The model of groups. A group contains the failures whose errors have the same fingerprint."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from hotelagent.core.messages import message_from_json
from tenants.models import User

#: The maximum value of `mute_limit`. The query `_MUTED` counts at most this number of failures of each group.
MAX_MUTE_LIMIT = 1_000

_MUTED = """
dlq_failuregroup.muted_from IS NOT NULL
AND (dlq_failuregroup.muted_until IS NULL OR dlq_failuregroup.muted_until > statement_timestamp())
AND (dlq_failuregroup.mute_limit IS NULL OR dlq_failuregroup.mute_limit > (
    SELECT count(*) FROM (
        SELECT FROM dlq_failure AS failure
        WHERE failure.fingerprint = dlq_failuregroup.fingerprint AND failure.id > dlq_failuregroup.muted_from
        LIMIT %s) AS counted))
"""


class FingerprintField(models.CharField):  # type: ignore[type-arg]
    """A fingerprint: 16 hexadecimal digits, stored as char(16).

    The type is not varchar, because Django creates a second index for LIKE on each unique varchar column.
    No query would use this second index.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_length": 16})

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - the signature of Django
        return "char(16)"


class GroupState(models.TextChoices):
    """The state of a group of failures.

    A group is regressed if its error occurred again after the group had been acknowledged or resolved.
    """

    OPEN = "open", pgettext_lazy("failure group", "new")
    REGRESSED = "regressed", _("occurred again")
    ACKNOWLEDGED = "acknowledged", _("acknowledged")
    MUTED = "muted", _("muted")


class GroupQuerySet(models.QuerySet["FailureGroup"]):
    def visible(self) -> GroupQuerySet:
        """Return the groups that are not joined to another group."""
        return self.filter(joined_to__isnull=True)

    def with_state(self) -> GroupQuerySet:
        """Annotate each group with its `state`, a GroupState."""
        muted = RawSQL(_MUTED, [MAX_MUTE_LIMIT], output_field=models.BooleanField())  # noqa: S611 - constant text
        state = models.Case(
            models.When(models.Q(muted), then=models.Value(GroupState.MUTED)),
            models.When(regressed_at__isnull=False, then=models.Value(GroupState.REGRESSED)),
            models.When(acknowledged_at__isnull=False, then=models.Value(GroupState.ACKNOWLEDGED)),
            default=models.Value(GroupState.OPEN),
            output_field=models.CharField(),
        )
        return self.annotate(state=state)


class FailureGroup(models.Model):
    """A group of errors with one fingerprint: the same name, error type, location and constant parts of the message.

    A group keeps the message and traceback of its first error. The errors of the group do not store a traceback, so
    100,000 equal failures need no space for 100,000 equal tracebacks.

    The row has no counters, because captures at the same time would wait for each other. `last_seen_at` and `versions`
    are updated at most every ten seconds, and only by a capture that does not have to wait.
    """

    fingerprint = FingerprintField(_("group"), primary_key=True)
    name = models.CharField(_("name"), max_length=150)
    error_type = models.CharField(_("error"), max_length=150)
    location = models.CharField(_("location"), max_length=300, blank=True)
    error_message = models.TextField(_("message"))
    #: The JSON form of a translatable message (`hotelagent.core.messages`), or null.
    translatable_message = models.JSONField(null=True, editable=False)
    traceback = models.TextField(_("traceback"), blank=True)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    #: The versions of our code (`CODE_VERSION`) in which the error occurred, newest first, at most 50.
    versions = ArrayField(
        models.CharField(max_length=40), verbose_name=_("code versions"), default=list, db_default=[]
    )

    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, editable=False)
    #: A muted group causes no alerts. The mute ends at the time `muted_until`, if this time is set.
    #: The mute also ends when the group has `mute_limit` new failures (with ids greater than `muted_from`).
    muted_from = models.UUIDField(null=True, editable=False)
    muted_until = models.DateTimeField(_("muted until"), null=True, editable=False)
    mute_limit = models.PositiveSmallIntegerField(null=True, editable=False)
    # `db_index=False`, because no query needs the groups of one member of staff quickly.
    assigned_to = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, db_index=False, related_name="+",
        verbose_name=_("assigned to"),
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=1_000, blank=True, db_default="")
    #: The time and the code version at which the error of an acknowledged or resolved group occurred again.
    #: `regressed_at` becomes null when staff acknowledge the group.
    regressed_at = models.DateTimeField(_("occurred again"), null=True, editable=False)
    regressed_version = models.CharField(max_length=40, blank=True, db_default="", editable=False)

    #: The fingerprint of the group to which this group was joined, or null. New errors are added to that group.
    joined_to = FingerprintField(null=True, editable=False)
    #: The rules that assign some errors of this group to other groups (see `dlq.groups.rules`).
    #: A rule consists of conditions and of the `fingerprint` of the other group.
    #: Null and an empty list mean that the group has no rules.
    splits = models.JSONField(null=True, editable=False)
    #: The fingerprint of the group from which this group was split, or null.
    split_from = FingerprintField(null=True, editable=False)
    #: After a change of the group's rules, failures with ids below `regroup_before` may belong to another group.
    #: `regroup_before` is null if no failure has to move to another group.
    regroup_before = models.UUIDField(null=True, editable=False)

    #: The number of open failures, of failures that need a person's decision, and of all failures of the group, at the
    #: time `counted_at`.
    #: `daily_counts` maps each ISO date to a pair: the number of captured failures and the number of closed failures.
    open_count = models.PositiveIntegerField(null=True, editable=False)
    decision_count = models.PositiveIntegerField(null=True, editable=False)
    failure_count = models.PositiveIntegerField(null=True, editable=False)
    daily_counts = models.JSONField(null=True, editable=False)
    counted_at = models.DateTimeField(null=True, editable=False)

    objects = GroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("failure group")
        verbose_name_plural = _("failure groups")

    def __str__(self) -> str:
        return f"{self.name}: {self.error_type.rpartition('.')[2]}"

    @property
    def localized_message(self) -> str:
        """Return the message of the first error, in the active language if a translation exists."""
        return message_from_json(self.translatable_message) or self.error_message
