"""The reasons why a redrive job refuses to retry or discard a failure."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from dlq.kinds.availability import has_code
from dlq.kinds.namespaces import is_external, is_retryable
from dlq.kinds.registry import find_kind
from dlq.models import Failure, FailureStatus
from dlq.payloads.stored import EXACT_TYPE
from dlq.redrives.models import Redrive, RedriveAction, RedriveResult


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties of a failure that decide whether a redrive job refuses the failure."""

    is_task: bool
    name: str
    status: str
    original_type: str
    is_overtaken: bool = False
    is_corrected: bool = False


#: The names of the fields of `Traits`, in the order in which queries return their values.
TRAITS = ("is_task", "name", "status", "original_type", "is_overtaken", "is_corrected")


def with_traits(failures: QuerySet[Failure]) -> QuerySet[Failure]:
    """Add the annotations `is_overtaken` and `is_corrected` to the failures."""
    annotated: QuerySet[Failure] = failures.annotate(
        is_overtaken=Q(overtaken_at__isnull=False), is_corrected=Q(corrected_payload__isnull=False)
    )
    return annotated


def refusal(traits: Traits, redrive: Redrive) -> RedriveResult | None:
    """Return why the redrive job refuses a failure, or None if the redrive accepts it.

    `traits` are the properties of the failure that determine the result.
    """
    if traits.status == FailureStatus.RETRYING:
        return RedriveResult.ALREADY_RUNNING
    if redrive.action == RedriveAction.DISCARD:
        return None
    if not (is_retryable(find_kind(traits.name), is_task=traits.is_task) and has_code(traits)):
        return RedriveResult.NO_HANDLER
    if not traits.is_corrected and traits.original_type not in {"", EXACT_TYPE}:
        return RedriveResult.UNREADABLE
    return None if redrive.confirm_in_doubt else _doubt(traits)


def _doubt(traits: Traits) -> RedriveResult | None:
    """Return why a person must confirm the retry of a failure in doubt, or None if no confirmation is needed."""
    # For a failure of another system, the client that claims the failure says whether the work is idempotent. If such a
    # failure is in doubt (the work may have been done), a person must confirm the retry.
    is_idempotent = find_kind(traits.name).is_idempotent and not is_external(traits.name)
    if traits.status == FailureStatus.IN_DOUBT and not is_idempotent:
        return RedriveResult.IN_DOUBT
    return RedriveResult.OVERTAKEN if traits.is_overtaken else None
