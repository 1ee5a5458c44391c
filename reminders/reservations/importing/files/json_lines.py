"""The reader for JSON Lines files (https://jsonlines.org). Each line is a JSON object that represents one booking."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile

_SAMPLE_LINES = 1_000


def read_keys(lines: Iterable[str]) -> list[str]:
    """Return the keys of the first objects, in order of appearance. The keys of nested objects are joined with dots."""
    keys: dict[str, None] = {}
    for line in itertools.islice(lines, _SAMPLE_LINES):
        keys |= dict.fromkeys(_cells(line) or {})
    if not keys:
        message = _("The file contains no JSON object. Each line must be a JSON object.")
        raise InvalidFile(TranslatableMessage(message))
    return list(keys)


def read_rows(lines: Iterable[str], keys: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the values of each object, in the order of `keys`.

    If a line is not a JSON object, its row has one cell, which contains the line.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            cells = _cells(line)
            yield number, [line.strip()] if cells is None else [cells.get(key, "") for key in keys]


def _cells(line: str) -> dict[str, str] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return dict(_flatten(content)) if isinstance(content, dict) else None


def _flatten(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(str(item) for item in value)
        else:
            yield f"{prefix}{key}", "" if value is None else str(value)
