"""The meaning of the status words of property management systems and channels."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile
from reminders.models import ReservationStatus

_SEPARATORS = re.compile(r"[\s_\-]+")
_BOOKED, _CHECKED_IN, _CANCELLED, _NO_SHOW, _CHECKED_OUT = (
    ReservationStatus.BOOKED,
    ReservationStatus.CHECKED_IN,
    ReservationStatus.CANCELLED,
    ReservationStatus.NO_SHOW,
    ReservationStatus.CHECKED_OUT,
)

#: The status words that are understood in every file.
#: A profile or the option `--status` can add status words or change the meaning of a status word.
_WORDS = {
    _BOOKED: "booked, confirmed, ok, reserved, guaranteed, due in",
    _CHECKED_IN: "in house, checked in, check in, due out, arrived",
    _CHECKED_OUT: "check out, checked out, departed",
    _CANCELLED: "canceled, cancelled, canceled by guest, cancelled by guest, cancelled by hotel, cancelled by property",
    _NO_SHOW: "no show, noshow",
}
STATUSES = {word: status.value for status, words in _WORDS.items() for word in words.split(", ")} | {
    "": _BOOKED.value
}


@functools.lru_cache(maxsize=1024)
def normalize_word(word: str) -> str:
    """Return the normalized form of a status word, so that `No-Show` and `no_show` are recognized as the same word."""
    return _SEPARATORS.sub(" ", word.casefold()).strip()


def status_words(*extensions: Mapping[str, str]) -> dict[str, str]:
    """Return a dictionary that maps normalized status words to reservation statuses.

    Each mapping in `extensions` adds status words, such as the words in a vendor's profile. If several mappings contain
    a word, the last mapping determines its status. Raises InvalidFile.
    """
    words = dict(STATUSES)
    for extension in extensions:
        for word, status in extension.items():
            if status not in ReservationStatus.values:
                message = _("Unknown status: {status}. The statuses are: {known}.")
                raise InvalidFile(
                    TranslatableMessage(message, status=status, known=", ".join(ReservationStatus.values))
                )
            words[normalize_word(word)] = status
    return words
