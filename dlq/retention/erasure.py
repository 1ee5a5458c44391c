"""The erasure of one guest from the failures of a hotel or of the platform.

The guest is identified by an e-mail address, a phone number or a reservation number. Every failure that contains the
identifier in its payload or texts loses its personal data. Work that needs the erased data is discarded.

Identifiers are compared by their keyed digests, so the same search works when an erasure is applied again after a
restore: by then, only the digest is known.
"""

import hmac
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat, Greatest
from django.utils.translation import gettext as _

from audit.services import record
from dlq import events, payloads
from dlq.errors import FailureNotRetryable, InvalidIdentifier
from dlq.groups.models import FailureGroup
from dlq.models import OPEN_STATUSES, Attempt, Failure, FailureStatus
from dlq.policy import FAILURE_DUE
from dlq.retention.clean_up import delete_personal_data_of
from dlq.retention.models import Erasure
from dlq.retries import ordering
from hotelagent.core import encryption
from tenants.context import current_hotel, current_tenant
from tenants.database.clock import database_now
from tenants.queue import due

BATCH_SIZE = 200
MIN_LENGTH = 3
_KEY_PURPOSE = b"dlq erasure"
#: A phone number has at least this many digits.
_MIN_DIGITS = 7

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+?\d[\d\s().-]{5,25}\d")
_WORD = re.compile(r"[\w-]+")

#: A function that returns further identifiers of the guest, for example the ids of the guest's reservations.
IdentifierFinder = Callable[[str], Iterable[str]]
_finders: list[IdentifierFinder] = []


def identifier_finder(function: IdentifierFinder) -> IdentifierFinder:
    """Register a function that receives an identifier of a guest and returns further identifiers of this guest."""
    _finders.append(function)
    return function


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The numbers of failures, discarded failures, attempts and groups from which data were erased."""

    failures: int = 0
    discarded: int = 0
    attempts: int = 0
    groups: int = 0

    def __add__(self, other: "ErasureResult") -> "ErasureResult":
        return ErasureResult(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def forget(identifier: str) -> ErasureResult:
    """Erase a guest from the failures of the current tenant, and return what was erased.

    Each batch of failures is committed separately. The erasure is recorded without the identifier. Raises
    InvalidIdentifier.
    """
    identifier = identifier.strip()
    if len(identifier) < MIN_LENGTH:
        raise InvalidIdentifier(_("Enter an e-mail address, a phone number or a reservation number."))
    related = (
        [] if current_tenant().is_platform else [found for finder in _finders for found in finder(identifier)]
    )
    digests = {_digest(form) for text in (identifier, *related) for form in _forms(text)}
    if hotel_id := current_tenant().id:
        rows = [Erasure(hotel_id=hotel_id, digest=digest) for digest in sorted(digests)]
        Erasure.objects.bulk_create(rows, ignore_conflicts=True)
    return _erase(digests)


def apply_again() -> ErasureResult:
    """Apply the erasures of the current hotel that a restore has undone. Raises HotelNotSet."""
    pending = Erasure.objects.filter(hotel_id=current_hotel().id or "", is_pending=True)
    digests = {bytes(digest) for digest in pending.values_list("digest", flat=True)}
    if not digests:
        return ErasureResult()
    result = _erase(digests)
    pending.update(is_pending=False)
    return result


def _erase(digests: set[bytes]) -> ErasureResult:
    result, last = ErasureResult(groups=_erase_groups(digests)), uuid.UUID(int=0)
    while batch := list(Failure.objects.filter(id__gt=last).order_by("id")[:BATCH_SIZE]):
        last = batch[-1].id
        texts = _attempt_texts([failure.id for failure in batch])
        found = [
            failure for failure in batch if _contains(_texts_of(failure, texts.get(failure.id, [])), digests)
        ]
        if found:
            result += _erase_failures([failure.id for failure in found])
    numbers = {field.name: getattr(result, field.name) for field in fields(result)}
    record(events.ERASED, **numbers)
    return result


@transaction.atomic
def _erase_failures(ids: list[uuid.UUID]) -> ErasureResult:
    # Transactions that close failures lock their ordering keys first.
    keys = sorted(set(Failure.objects.filter(id__in=ids).values_list("ordering_key", flat=True)) - {""})
    for key in keys:
        ordering.lock(key)
    locked = Failure.objects.filter(id__in=ids).order_by("id").select_for_update()
    still_open = [failure for failure in locked if failure.status in OPEN_STATUSES]
    open_ids = [failure.id for failure in still_open]
    attempts = Attempt.objects.filter(failure_id__in=ids).exclude(error_message="").count()
    delete_personal_data_of(
        ids,
        # Both keys are replaced, because they can be a digest of personal data or contain a reservation number.
        work_key=Concat(Value("erased:"), Cast("id", CharField())),
        ordering_key="",
    )
    Failure.objects.filter(id__in=open_ids).update(
        status=FailureStatus.DISCARDED,
        next_retry_at=None,
        claimed_until=None,
        closed_at=database_now(),
        discard_reason=_("The data of the guest were erased."),
    )
    if not current_tenant().is_platform:
        due.cancel(kind=FAILURE_DUE, ids=open_ids)
    _wait_for_running_attempts(still_open)
    for key in keys:
        ordering.wake_next(key)
    for failure in still_open:
        record(events.DISCARDED, subject=("failure", failure.id), name=failure.name, was=failure.status)
    return ErasureResult(failures=len(ids), discarded=len(open_ids), attempts=attempts)


def _wait_for_running_attempts(erased: list[Failure]) -> None:
    """Delay the failures that follow an erased failure until the running attempt of the erased failure has ended.

    The attempt cannot be stopped. It has ended, or is lost, when its lease ends.
    """
    for failure in erased:
        if failure.ordering_key and failure.claimed_until:
            following = Failure.objects.filter(
                ordering_key=failure.ordering_key, status=FailureStatus.SCHEDULED, next_retry_at__isnull=False
            )
            following.update(next_retry_at=Greatest("next_retry_at", failure.claimed_until))


def _erase_groups(digests: set[bytes]) -> int:
    """Delete the texts of the groups that contain an identifier, and return the number of groups."""
    found = [
        group.pk
        for group in FailureGroup.objects.only("note", "error_message", "traceback", "splits")
        if _contains([group.note, group.error_message, group.traceback, *_strings(group.splits)], digests)
    ]
    changes = {"note": "", "error_message": "", "translatable_message": None, "traceback": "", "splits": None}
    FailureGroup.objects.filter(pk__in=found).update(**changes)
    return len(found)


def _attempt_texts(failure_ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    texts: dict[uuid.UUID, list[str]] = {}
    attempts = Attempt.objects.filter(failure_id__in=failure_ids).exclude(error_message="")
    for failure_id, message in attempts.values_list("failure_id", "error_message"):
        texts.setdefault(failure_id, []).append(message)
    return texts


def _texts_of(failure: Failure, attempt_texts: list[str]) -> Iterator[str]:
    yield from (failure.work_key, failure.ordering_key, failure.error_message, failure.discard_reason)
    yield from attempt_texts
    yield from _strings(failure.payload)
    yield from _strings(failure.corrected_payload)
    if failure.original is not None:
        yield bytes(failure.original).decode("utf-8", "replace")
    if failure.secrets is not None or failure.corrected_secrets is not None:
        try:
            yield from _strings(payloads.restore(failure))
        except FailureNotRetryable:
            return


def _strings(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in a JSON value, including the names of fields."""
    remaining = [value]
    while remaining:
        match remaining.pop():
            case str() as text:
                yield text
            case dict() as items:
                remaining += [*items.keys(), *items.values()]
            case list() | tuple() as items:
                remaining += items
            case None | bool():
                pass
            case other:
                yield str(other)


def _contains(texts: Iterable[str], digests: set[bytes]) -> bool:
    return any(_digest(form) in digests for text in texts for form in _candidates(text))


def _forms(identifier: str) -> set[str]:
    """Return the normal forms of an identifier. An identifier that may be a phone number has two: text and number."""
    digits = _digits(identifier)
    is_phone = _PHONE.fullmatch(identifier) and len(digits) >= _MIN_DIGITS
    return {identifier.casefold(), *([f"tel:{digits}"] if is_phone else [])}


def _candidates(text: str) -> set[str]:
    """Return the normal forms of everything in the text that can be an identifier."""
    found = {text.strip().casefold()}
    found.update(address.casefold() for address in _EMAIL.findall(text))
    found.update(word.casefold() for word in _WORD.findall(text) if len(word) >= MIN_LENGTH)
    found.update(f"tel:{_digits(number)}" for number in _PHONE.findall(text))
    return found


def _digits(text: str) -> str:
    digits = "".join(character for character in text if character.isdigit())
    return digits.removeprefix("00")


def _digest(form: str) -> bytes:
    return hmac.digest(encryption.derive_key(_KEY_PURPOSE), form.encode("utf-8", "replace"), sha256)
