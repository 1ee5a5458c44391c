"""The operations that change the rules of groups: join, separate and split.

Joining assigns all errors of a group to another group. Separating undoes a join. Splitting assigns the errors that meet
a condition to a new group. A rule applies to all errors that are captured later. Existing failures move in batches.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Greatest, Least
from django.utils.translation import gettext as _

from audit.services import record
from dlq import events
from dlq.errors import FailureGroupConflict, InvalidSplit
from dlq.groups.models import FailureGroup
from dlq.groups.state import lock_group
from dlq.kinds.fields import overlaps
from dlq.kinds.registry import find_kind
from hotelagent.core.ids import uuid7
from tenants.queue.celery_task import send_on_commit
from tenants.unaudited import unaudited

#: Maximum number of rules that split one group. Each capture of an error of the group may check all these rules.
MAX_SPLITS = 20
MAX_CONDITION_LENGTH = 300
#: Number of failures that move to another group in one transaction.
BATCH_SIZE = 500
#: The name of the Celery task that calls the function `regroup` for each group whose rules have changed.
REGROUP_TASK = "dlq.tasks.regroup"

# This query moves failures to the groups of their latest errors. The fingerprint of an error is stored in the attempt
# that failed with it.
_MOVE = """
WITH batch AS (
    SELECT id, fingerprint, source, name, payload, error_message
    FROM dlq_failure
    WHERE fingerprint = %(fingerprint)s AND id < %(before)s
    ORDER BY id DESC
    LIMIT %(size)s
), regrouped AS (
    SELECT batch.id, dlq_find_group(
        coalesce(
            (SELECT attempt.fingerprint FROM dlq_attempt AS attempt
             WHERE attempt.failure_id = batch.id AND attempt.fingerprint <> ''
             ORDER BY attempt.number DESC LIMIT 1),
            batch.fingerprint),
        jsonb_build_object(
            'source', batch.source, 'name', batch.name, 'payload', batch.payload,
            'error', jsonb_build_object('message', batch.error_message))) AS fingerprint
    FROM batch
), moved AS (
    UPDATE dlq_failure AS failure SET fingerprint = regrouped.fingerprint
    FROM regrouped
    WHERE failure.id = regrouped.id AND failure.fingerprint <> regrouped.fingerprint
    RETURNING failure.id
)
SELECT (SELECT count(*) FROM batch), (SELECT id FROM batch ORDER BY id LIMIT 1), (SELECT count(*) FROM moved)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCondition:
    """The condition of a rule to split a group. An error must meet all parts that are not empty.

    `text` is a part of the error message and is not case-sensitive. `field` is a field of the payload, with dots
    between the keys, such as `booking.channel` or `args.0`, and `value` is the value of the field as text.

    Raises InvalidSplit if all parts are empty, or if a field has no value.
    """

    text: str = ""
    source: str = ""
    name: str = ""
    field: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        if not (self.text or self.source or self.name or self.field):
            raise InvalidSplit(_("Enter a part of the message, a source, a name or a field of the payload."))
        if bool(self.field) != bool(self.value):
            raise InvalidSplit(_("Enter a field of the payload together with its value."))
        if any("\0" in part or len(part) > MAX_CONDITION_LENGTH for part in asdict(self).values()):
            raise InvalidSplit(
                _("A condition has at most {max} characters, and no NUL characters.").format(
                    max=MAX_CONDITION_LENGTH
                )
            )

    def as_json(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


def join(*, fingerprint: str, into: str) -> int:
    """Join a group to the group `into`, which then gets the failures and new errors of the joined group.

    Return the number of failures that moved in this call. The task REGROUP_TASK moves the remaining failures after the
    commit. If the joined group was split from the group `into`, the split rule is removed.

    Raises FailureGroupNotFound. Raises FailureGroupConflict if the groups are the same, or if the group `into` was
    itself joined to a group.
    """
    if fingerprint == into:
        raise FailureGroupConflict(_("A group cannot be joined to itself."))
    with transaction.atomic():
        groups = {each: lock_group(each) for each in sorted({fingerprint, into})}
        group, target = groups[fingerprint], groups[into]
        if group.joined_to == into:
            return 0
        if target.joined_to is not None:
            text = _("The group {into} was itself joined to the group {target}. Join the group to {target}.")
            raise FailureGroupConflict(text.format(into=into, target=target.joined_to))
        if group.joined_to is not None:
            text = _(
                "The group was already joined to the group {target}. Separate the group from {target} first."
            )
            raise FailureGroupConflict(text.format(target=group.joined_to))
        if group.split_from == into:
            rules = [rule for rule in target.splits or [] if rule["fingerprint"] != fingerprint]
            FailureGroup.objects.filter(fingerprint=into).update(splits=rules or None)
        elif fingerprint in _reachable(into):
            text = _(
                "This group cannot be joined to the group {into}, because rules assign errors of {into} to this group. "
                "Undo these splits or joins first."
            )
            raise FailureGroupConflict(text.format(into=into))
        FailureGroup.objects.filter(fingerprint=fingerprint).update(joined_to=into, regroup_before=uuid7())
        FailureGroup.objects.filter(joined_to=fingerprint).update(joined_to=into)
        FailureGroup.objects.filter(fingerprint=into).update(
            created_at=Least("created_at", group.created_at),
            last_seen_at=Greatest("last_seen_at", group.last_seen_at),
            versions=list(dict.fromkeys([*target.versions, *group.versions]))[:50],
        )
        _record(events.GROUP_JOINED, group, into=into)
        return _move_first_batch(fingerprint)


def separate(*, fingerprint: str) -> int:
    """Undo `join`, so that this group has its own errors again.

    Return the number of failures that moved back in this call. The task REGROUP_TASK moves the remaining failures after
    the commit. Raises FailureGroupNotFound. Raises FailureGroupConflict if the group was split from the other group.
    """
    with transaction.atomic():
        group = lock_group(fingerprint)
        if (former := group.joined_to) is None:
            return 0
        if group.split_from == former:
            text = _(
                "This group was split from the group {target} and joined to that group again. "
                "To separate the two groups, split the group {target} again."
            )
            raise FailureGroupConflict(text.format(target=former))
        FailureGroup.objects.filter(fingerprint=fingerprint).update(joined_to=None)
        FailureGroup.objects.filter(fingerprint=former).update(regroup_before=uuid7())
        _record(events.GROUP_SEPARATED, group, former=former)
        return _move_first_batch(former)


def split(*, fingerprint: str, condition: SplitCondition) -> str:
    """Assign the errors of a group that meet the condition to a new group. Return the fingerprint of the new group.

    If the group was split by this condition before, return the fingerprint of the existing group.

    The function moves at most one batch of failures. The task REGROUP_TASK moves the remaining failures after the
    commit.

    Raises FailureGroupNotFound. Raises InvalidSplit if the group has too many rules or the field is personal or secret.
    """
    with transaction.atomic():
        group = lock_group(fingerprint)
        rules = group.splits or []
        rule = condition.as_json()
        content = json.dumps([fingerprint, rule], sort_keys=True)
        new = hashlib.sha256(content.encode()).hexdigest()[:16]
        if any(existing["fingerprint"] == new for existing in rules):
            return new
        if group.joined_to is not None:
            text = _("This group is joined to the group {target}. Split the group {target} instead.")
            raise FailureGroupConflict(text.format(target=group.joined_to))
        if len(rules) >= MAX_SPLITS:
            text = _(
                "A group can be split by at most {max} conditions. "
                "First join one of the split-off groups to this group again."
            )
            raise InvalidSplit(text.format(max=MAX_SPLITS))
        if condition.field and _is_protected(group.name, condition.field):
            text = _("The field {field} contains personal or secret data, which rules must not contain.")
            raise InvalidSplit(text.format(field=condition.field))
        values: dict[str, Any] = {
            name: getattr(group, name)
            for name in (
                *("name", "error_type", "location", "error_message", "translatable_message", "traceback"),
                *("created_at", "last_seen_at", "versions"),
            )
        }
        FailureGroup.objects.update_or_create(
            fingerprint=new, defaults={**values, "split_from": fingerprint, "joined_to": None}
        )
        FailureGroup.objects.filter(fingerprint=fingerprint).update(
            splits=[*rules, {**rule, "fingerprint": new}], regroup_before=uuid7()
        )
        _record(events.GROUP_SPLIT, group, new=new)
        _move_first_batch(fingerprint)
    return new


@unaudited("The split, join or separation was recorded when a person requested it.")
def regroup(*, fingerprint: str) -> bool:
    """Apply the changed rules of a group to the next batch of its failures.

    Each failure is moved to the group to which the rules assign the failure.
    Return whether the group may have further failures to check.
    """
    with transaction.atomic():
        lock_group(fingerprint)
        _move_batch(fingerprint)
        return _has_remaining(fingerprint)


def groups_to_regroup() -> list[str]:
    """Return the fingerprints of the groups whose failures may have to move to another group."""
    waiting = FailureGroup.objects.filter(regroup_before__isnull=False)
    return list(waiting.order_by("fingerprint").values_list("fingerprint", flat=True))


def _move_first_batch(fingerprint: str) -> int:
    """Move a batch of failures of the locked group, and send the task that moves the remaining failures.

    Return the number of moved failures.
    """
    moved = _move_batch(fingerprint)
    if _has_remaining(fingerprint):
        send_on_commit(REGROUP_TASK)
    return moved


def _has_remaining(fingerprint: str) -> bool:
    return FailureGroup.objects.filter(fingerprint=fingerprint, regroup_before__isnull=False).exists()


def _move_batch(fingerprint: str) -> int:
    """Move a batch of failures of the locked group, newest first. Return the number of moved failures."""
    before = FailureGroup.objects.values_list("regroup_before", flat=True).get(fingerprint=fingerprint)
    if before is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"fingerprint": fingerprint, "before": before, "size": BATCH_SIZE})
        checked, lowest, moved = cursor.fetchone()
    rest = lowest if checked == BATCH_SIZE else None
    FailureGroup.objects.filter(fingerprint=fingerprint).update(regroup_before=rest)
    return int(moved)


def _reachable(start: str) -> set[str]:
    """Return the groups to which the rules can assign an error of the group `start`."""
    found: set[str] = set()
    waiting = {start}
    while waiting:
        found |= waiting
        groups = FailureGroup.objects.filter(fingerprint__in=waiting).values_list("joined_to", "splits")
        following = {target for joined_to, splits in groups for target in (
            joined_to, *(rule["fingerprint"] for rule in splits or []))}  # fmt: skip
        waiting = {target for target in following if target} - found
    return found


def _is_protected(name: str, field: str) -> bool:
    """Return whether the field of the payload may contain a personal or secret value.

    This is the case if the kind of failure declares the field, a parent field or a child field as personal or secret.
    """
    kind = find_kind(name)
    keys = field.split(".")
    return any(overlaps(path.split("."), keys) for path in (*kind.personal_fields, *kind.secret_fields))


def _record(event: Any, group: FailureGroup, **data: object) -> None:
    record(event, subject=("failure_group", group.fingerprint), name=group.name, **data)
