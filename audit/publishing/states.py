"""The state of the publication of each log at each target, in the column `published` of the log.

The state of a target is an object with the keys `size` and `at`: the size of the log at the newest published
checkpoint, and the time of its publication. If the newest attempt failed, the object also has the keys `error` (the
message in the form of `message_to_json`) and `since` (the time of the first failure after the last success).
"""

from typing import Any

from django.db.models import F, Func, JSONField, OuterRef, Q, Subquery, Value

from audit.sealing.models import Log, StoredCheckpoint
from hotelagent.core.messages import message_to_json
from tenants.context import platform_context
from tenants.database.clock import database_now

DIRECTORY, URL, EMAIL = "directory", "url", "email"


def find_unpublished(target: str, condition: Q | None = None) -> list[Log]:
    """Return the open logs whose newest checkpoint is not published at the target.

    Only logs that match `condition` are returned.
    """
    newest = StoredCheckpoint.objects.filter(log=OuterRef("pk")).order_by("-size").values("size")[:1]
    with platform_context():
        found = Log.objects.filter(condition or Q(), closed_at=None).annotate(newest=Subquery(newest))
        return [log for log in found if log.newest and not _is_published(log, target, log.newest)]


def _is_published(log: Log, target: str, size: int) -> bool:
    state = log.published.get(target, {})
    return state.get("size") == size and "error" not in state


def store_success(log: Log, target: str, size: int) -> None:
    """Store that the checkpoint of the log with this size was published at the target."""
    with platform_context():
        state = {"size": size, "at": database_now().isoformat()}
        Log.objects.filter(pk=log.pk).update(published=with_state(target, state))


def store_failure(log: Log, target: str, reason: str) -> None:
    """Store why the newest checkpoint of the log could not be published at the target."""
    with platform_context():
        Log.objects.filter(pk=log.pk).update(published=with_state(target, failed_state(log, target, reason)))


def failed_state(log: Log, target: str, reason: str) -> dict[str, Any]:
    """Return the state of a target after a failure. The caller must be in the platform's context."""
    state = log.published.get(target, {})
    since = state.get("since") or database_now().isoformat()
    return {**state, "error": message_to_json(reason), "since": since}


def with_state(target: str, state: dict[str, Any]) -> Func:
    """Return the SQL expression that changes the state of one target, and keeps the states of the other targets.

    Several tasks publish at the same time, so no task may write the whole column.
    """
    return Func(
        F("published"),
        Value({target: state}, JSONField()),
        template="(%(expressions)s)",
        arg_joiner=" || ",
        output_field=JSONField(),
    )


def forget_target(target: str, condition: Q | None = None) -> None:
    """Delete the state of a target that is not used any more. Otherwise its last failure would be reported forever.

    Only the states in logs that match `condition` are deleted.
    """
    with platform_context():
        used = Log.objects.filter(condition or Q(), published__has_key=target)
        used.update(
            published=Func(
                F("published"),
                Value(target),
                template="(%(expressions)s)",
                arg_joiner=" - ",
                output_field=JSONField(),
            )
        )
