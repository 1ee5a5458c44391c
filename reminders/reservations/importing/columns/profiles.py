"""The profiles of the exports of property management systems and channels.

A profile is a TOML file with the column of each field, the meaning of the vendor's status words, and the columns by
which an export is recognized. A hotel can write a profile for its own system.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile
from reminders.models import ReservationStatus
from reminders.reservations.importing.columns.fields import normalize_name

_FOLDER = Path(__file__).parent / "vendors"
_KEYS = {"title", "source", "detect", "date_format", "columns", "statuses"}
_DATE_FORMATS = ("", "day-first", "month-first")


@dataclass(frozen=True, slots=True)
class Profile:
    """The description of a vendor's export. `title` is the name that users see."""

    name: str
    title: str
    #: The columns by which an export is recognized: a file must have all of them.
    #: If several profiles match a file, the profile with the most columns is used.
    detect: tuple[str, ...] = ()
    #: The possible columns of each field. `First+Last` joins two columns.
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The reservation status for each status word of the vendor.
    statuses: Mapping[str, str] = field(default_factory=dict)
    #: The order of day and month in the dates of the vendor's exports: `day-first` or `month-first`.
    #: An empty string means that the vendor's exports have different orders of day and month.
    date_format: str = ""

    def column_names(self) -> Iterator[str]:
        """Yield the names of all columns of the profile."""
        yield from self.detect
        for candidates in self.columns.values():
            for candidate in candidates:
                yield from candidate.split("+")


@functools.cache
def built_in_profiles() -> dict[str, Profile]:
    """Return the profiles that are part of this package, by name."""
    return {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.toml"))}


def load_profile(name_or_path: str) -> Profile:
    """Return the built-in profile with this name, or the profile in this TOML file. Raises InvalidFile."""
    if (profile := built_in_profiles().get(name_or_path)) is not None:
        return profile
    path = Path(name_or_path)
    if not path.is_file():
        message = _("Unknown profile: {profile}. Use the path of a TOML file, or one of: {known}.")
        raise InvalidFile(
            TranslatableMessage(message, profile=name_or_path, known=", ".join(built_in_profiles()))
        )
    return _read(path)


def detect_profile(header: Sequence[str]) -> Profile | None:
    """Return the built-in profile whose identifying columns are all in the header, or None."""
    names = {normalize_name(name) for name in header}
    matching = [
        profile
        for profile in built_in_profiles().values()
        if profile.detect and all(normalize_name(name) in names for name in profile.detect)
    ]
    return max(matching, key=lambda profile: len(profile.detect), default=None)


def _read(path: Path) -> Profile:
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path}: {error}") from error
    return _profile(path, content)


def _profile(path: Path, content: Mapping[str, Any]) -> Profile:
    def refuse(msgid: str, **params: str) -> InvalidFile:
        return InvalidFile(f"{path}: {TranslatableMessage(msgid, **params)}")

    if unknown := sorted(content.keys() - _KEYS):
        message = _("Unknown key: {key}. Valid keys of a profile: {known}.")
        raise refuse(message, key=", ".join(unknown), known=", ".join(sorted(_KEYS)))
    columns, statuses = content.get("columns", {}), content.get("statuses", {})
    if not isinstance(columns, dict) or not isinstance(statuses, dict):
        raise refuse(_("[columns] and [statuses] must be tables."))
    candidates = {
        name: (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
        for name, value in columns.items()
    }
    if not all(names and all(isinstance(n, str) and n for n in names) for names in candidates.values()):
        raise refuse(
            _('A value of [columns] must be a column name or a list of names, such as "Name" or ["A", "B"].')
        )
    for word, status in statuses.items():
        if status not in ReservationStatus.values:
            message = _('The status of "{word}" must be one of: {known}.')
            raise refuse(message, word=word, known=", ".join(ReservationStatus.values))
    if (date_format := content.get("date_format", "")) not in _DATE_FORMATS:
        raise refuse(_("The value of date_format must be day-first or month-first."))
    detect = content.get("detect", [])
    if not isinstance(detect, list) or not all(isinstance(name, str) for name in detect):
        raise refuse(_("The value of detect must be a list of column names."))
    return Profile(
        name=path.stem,
        title=str(content.get("title", path.stem)),
        detect=tuple(detect),
        columns=candidates,
        statuses=statuses,
        date_format=date_format,
    )
