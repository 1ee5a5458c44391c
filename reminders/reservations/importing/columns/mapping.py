"""The mapping of the columns of a file to the fields of a booking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import FileChoice, InvalidFile
from reminders.reservations.importing.columns.fields import FIELDS, REQUIRED_FIELDS, normalize_name
from reminders.reservations.importing.columns.profiles import Profile


def propose_mapping(
    header: Sequence[str], *, profile: Profile | None = None, overrides: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a dictionary that maps each field to its column in the file (`Column`) or to two columns (`First+Last`).

    Fields without a column are omitted. `overrides` take precedence over the profile, and the profile takes precedence
    over the recognized column names. Raises InvalidFile for an unknown field or column.
    """
    overrides = overrides or {}
    names = {normalize_name(name): name for name in reversed(header) if name}
    if unknown := sorted(overrides.keys() - FIELDS.keys()):
        message = _("Unknown field: {fields}. The fields are: {known}.")
        raise InvalidFile(TranslatableMessage(message, fields=", ".join(unknown), known=", ".join(FIELDS)))
    mapping = {}
    for field in FIELDS.values():
        if field.name in overrides:
            if column := overrides[field.name]:
                mapping[field.name] = "+".join(names[name] for name in _split(column, names))
            continue
        if profile is not None and profile.columns:
            candidates: Iterable[str] = profile.columns.get(field.name, ())
        else:
            candidates = field.column_names
        for candidate in candidates:
            parts = _parts(candidate, names)
            if all(part in names for part in parts):
                mapping[field.name] = "+".join(names[part] for part in parts)
                break
    return mapping


def missing_fields(mapping: Mapping[str, str]) -> list[str]:
    """Return the required booking fields for which the file has no column."""
    return [name for name in REQUIRED_FIELDS if name not in mapping]


def column_indexes(
    header: Sequence[str], mapping: Mapping[str, str], *, require: bool = True
) -> dict[str, tuple[int, ...]]:
    """Return the column indexes of each field.

    Raises InvalidFile if `require` is true and a required field has no column.
    """
    if require and (missing := missing_fields(mapping)):
        message = _(
            "The file has no recognized column for: {fields}. The columns of the file are: {columns}."
        )
        raise InvalidFile(
            TranslatableMessage(message, fields=", ".join(missing), columns=", ".join(header)),
            choice=FileChoice.COLUMNS,
        )
    indexes = {normalize_name(name): index for index, name in reversed(list(enumerate(header))) if name}
    return {
        field: tuple(indexes[part] for part in _parts(column, indexes)) for field, column in mapping.items()
    }


def map_columns(
    header: Sequence[str], *, overrides: Mapping[str, str], profile: Profile | None = None
) -> dict[str, tuple[int, ...]]:
    """Return the column indexes of each field that has columns in the file. Raises InvalidFile."""
    return column_indexes(header, propose_mapping(header, profile=profile, overrides=overrides))


def _split(column: str, names: Mapping[str, str]) -> list[str]:
    parts = _parts(column, names)
    if absent := [part for part in parts if part not in names]:
        written = column if absent == [normalize_name(column)] else ", ".join(absent)
        message = _("The file has no column named {column}. The columns of the file are: {columns}.")
        raise InvalidFile(
            TranslatableMessage(message, column=written, columns=", ".join(names.values())),
            choice=FileChoice.COLUMNS,
        )
    return parts


def _parts(column: str, names: Mapping[str, object]) -> list[str]:
    """Split a column setting such as `First+Last` into normalized names. A name in `names` may contain a `+` itself."""
    whole = normalize_name(column)
    return (
        [whole]
        if whole in names or "+" not in column
        else [normalize_name(part) for part in column.split("+")]
    )
