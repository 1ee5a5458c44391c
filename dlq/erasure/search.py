"""The search for an identifier of a guest in the failures of a hotel or of the platform.

No index finds a part of a payload, so all failures are read. Identifiers are compared by their keyed digests, because
only the digest is known when an erasure is applied again after a restore.
"""

import hmac
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

from django.utils.translation import gettext as _

from audit.erasure import Matcher
from dlq import payloads
from dlq.errors import FailureNotRetryable, InvalidIdentifier
from dlq.groups.models import FailureGroup
from dlq.models import Attempt, Failure
from hotelagent.core import encryption
from hotelagent.core.text import texts_in
from tenants.context import current_tenant

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


def digests_of(identifier: str) -> set[bytes]:
    """Return the keyed digests of the identifier and of the guest's other identifiers. Raises InvalidIdentifier."""
    identifier = identifier.strip()
    if len(identifier) < MIN_LENGTH:
        raise InvalidIdentifier(_("Enter an e-mail address, a phone number or a reservation number."))
    related = (
        [] if current_tenant().is_platform else [found for finder in _finders for found in finder(identifier)]
    )
    key = encryption.derive_key(_KEY_PURPOSE)
    return {_digest(form, key) for text in (identifier, *related) for form in _normalized_forms(text)}


def matcher(digests: set[bytes]) -> Matcher:
    """Return a function that checks whether any of the given texts contains an identifier with one of these digests."""
    key = encryption.derive_key(_KEY_PURPOSE)

    # The digests are cached, because payloads have many words in common and computing a digest is slow.
    @lru_cache(maxsize=10_000)
    def is_identifier(form: str) -> bool:
        return _digest(form, key) in digests

    return lambda texts: any(is_identifier(form) for text in texts for form in _candidates(text))


def find_failures(is_match: Matcher) -> Iterator[list[Failure]]:
    """Read all failures in batches, oldest first. For each batch, yield the failures that contain an identifier.

    A batch without such a failure is yielded as an empty list, so that the caller can stop after any batch.
    """
    last = uuid.UUID(int=0)
    while batch := list(Failure.objects.filter(id__gt=last).order_by("id")[:BATCH_SIZE]):
        last = batch[-1].id
        texts = _attempt_texts([failure.id for failure in batch])
        yield [failure for failure in batch if is_match(_texts_of(failure, texts.get(failure.id, [])))]


def find_groups(is_match: Matcher) -> list[str]:
    """Return the fingerprints of the groups whose texts contain an identifier."""
    return [
        group.pk
        for group in FailureGroup.objects.only("note", "error_message", "traceback", "splits")
        if is_match([group.note, group.error_message, group.traceback, *texts_in(group.splits)])
    ]


def _attempt_texts(failure_ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    texts: dict[uuid.UUID, list[str]] = {}
    attempts = Attempt.objects.filter(failure_id__in=failure_ids).exclude(error_message="")
    for failure_id, message in attempts.values_list("failure_id", "error_message"):
        texts.setdefault(failure_id, []).append(message)
    return texts


def _texts_of(failure: Failure, attempt_texts: list[str]) -> Iterator[str]:
    yield from (failure.work_key, failure.ordering_key, failure.error_message, failure.discard_reason)
    yield from attempt_texts
    yield from texts_in(failure.payload)
    yield from texts_in(failure.corrected_payload)
    if failure.original is not None:
        yield bytes(failure.original).decode("utf-8", "replace")
    if failure.secrets is not None or failure.corrected_secrets is not None:
        try:
            yield from texts_in(payloads.restore(failure))
        except FailureNotRetryable:
            return


def _normalized_forms(identifier: str) -> set[str]:
    """Return the normalized forms of an identifier. A phone number has two forms: its text and its digits."""
    digits = _digits(identifier)
    is_phone = _PHONE.fullmatch(identifier) and len(digits) >= _MIN_DIGITS
    return {identifier.casefold(), *([f"tel:{digits}"] if is_phone else [])}


def _candidates(text: str) -> set[str]:
    """Return the text and its words, e-mail addresses and phone numbers, in the normalized form of identifiers."""
    found = {text.strip().casefold()}
    found.update(address.casefold() for address in _EMAIL.findall(text))
    found.update(word.casefold() for word in _WORD.findall(text) if len(word) >= MIN_LENGTH)
    found.update(f"tel:{_digits(number)}" for number in _PHONE.findall(text))
    return found


def _digits(text: str) -> str:
    digits = "".join(character for character in text if character.isdigit())
    return digits.removeprefix("00")


def _digest(form: str, key: bytes) -> bytes:
    return hmac.digest(key, form.encode("utf-8", "replace"), sha256)
