"""The inspection of a file before it is imported: its format, profile, columns, dates and status words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reminders.reservations.importing.columns.fields import DATE_FIELDS
from reminders.reservations.importing.columns.mapping import (
    column_indexes,
    missing_fields,
    propose_mapping,
)
from reminders.reservations.importing.columns.profiles import Profile, detect_profile
from reminders.reservations.importing.files import BookingsFile, FileFormat
from reminders.reservations.importing.values.dates import (
    AmbiguousColumn,
    AmbiguousDates,
    DateColumn,
    DateOrder,
    decide_orders,
)
from reminders.reservations.importing.values.statuses import normalize_word, status_words

_SAMPLES = 3
_SAMPLED_ROWS = 200
_MAX_WORDS = 200


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options for importing a file. If an option is empty, its value is detected from the file."""

    #: The profile of the file's vendor. If None, the built-in profile that matches the file's header is used.
    profile: Profile | None = None
    #: If a hotel name is set, only rows with this name in the hotel column are imported.
    property_name: str = ""
    #: Maps each field to the name of its column, or to two names joined by a plus sign, such as `First+Last`.
    #: A field that is mapped to an empty string is not imported. This mapping takes precedence over the profile.
    columns: Mapping[str, str] = field(default_factory=dict)
    #: Maps status words in the file to reservation statuses, in addition to the built-in words.
    statuses: Mapping[str, str] = field(default_factory=dict)
    #: The order of ambiguous dates such as 03/04/2026: `day-first` or `month-first`.
    date_format: str = ""
    dry_run: bool = False

    @property
    def expected_columns(self) -> tuple[str, ...]:
        """Return the expected column names, which help `BookingsFile` to find the header."""
        profile = self.profile.column_names() if self.profile else ()
        return (*profile, *self.columns.values())


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the file, with sample values and the booking fields that are read from the column."""

    name: str
    samples: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusWord:
    """A word in the status column and the number of rows with the word. `status` is None if the word is not known."""

    word: str
    rows: int
    status: str | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """The contents of a file, and the columns and settings with which an import would read them."""

    format: FileFormat
    profile: Profile | None
    row_count: int
    columns: tuple[FileColumn, ...]
    #: Maps each field to the name of its column, or to two names joined by a plus sign, such as `First+Last`.
    mapping: Mapping[str, str]
    #: The required fields that have no column in the file.
    missing: tuple[str, ...]
    #: Maps each date field to the order of day and month in its column.
    #: The order is None if no date of the column is ambiguous.
    date_orders: Mapping[str, DateOrder | None]
    #: The columns whose dates are ambiguous. If there are any, the import needs `ImportOptions.date_format`.
    ambiguous_dates: tuple[AmbiguousColumn, ...]
    statuses: tuple[StatusWord, ...]
    #: The hotels in the hotel column of the file. If there are several, the import needs `property_name`.
    hotels: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """Return whether the file can be imported without further choices by staff."""
        return not self.missing and not self.ambiguous_dates


def resolve_profile(file: BookingsFile, options: ImportOptions) -> Profile | None:
    """Return the profile that the options contain, or else the built-in profile that matches the header of the file.

    Return None if there is no such profile.
    """
    return options.profile or detect_profile(file.header)


def inspect_file(file: BookingsFile, options: ImportOptions | None = None) -> Inspection:
    """Read the whole file and return what it contains. Raises InvalidFile if the file can't be read."""
    options = options or ImportOptions()
    profile = resolve_profile(file, options)
    mapping = propose_mapping(file.header, profile=profile, overrides=options.columns)
    indexes = column_indexes(file.header, mapping, require=False)
    dates = date_columns(file.header, indexes)
    samples: list[dict[str, None]] = [{} for _ in file.header]
    words: Counter[str] = Counter()
    hotels: dict[str, None] = {}
    count = 0
    for line, row in file.rows():
        count += 1
        if count <= _SAMPLED_ROWS:
            for known, cell in zip(samples, row, strict=False):
                if len(known) < _SAMPLES and cell.strip():
                    known[cell.strip()] = None
        add_dates(dates, indexes, line, row)
        if (word := _cell(row, indexes.get("status"))) and (word in words or len(words) < _MAX_WORDS):
            words[word] += 1
        if (hotel := _cell(row, indexes.get("hotel"))) and len(hotels) < _MAX_WORDS:
            hotels[hotel] = None
    try:
        orders = decide_orders(
            dates, date_format=options.date_format or (profile.date_format if profile else "")
        )
        ambiguous: Sequence[AmbiguousColumn] = ()
    except AmbiguousDates as error:
        orders, ambiguous = {}, error.columns
    known_words = status_words(profile.statuses if profile else {}, options.statuses)
    return Inspection(
        format=file.format,
        profile=profile,
        row_count=count,
        columns=tuple(_columns(file.header, samples, indexes)),
        mapping=mapping,
        missing=tuple(missing_fields(mapping)),
        date_orders=orders,
        ambiguous_dates=tuple(ambiguous),
        statuses=tuple(
            StatusWord(word, rows, known_words.get(normalize_word(word)))
            for word, rows in words.most_common()
        ),
        hotels=tuple(hotels),
    )


def date_columns(header: Sequence[str], indexes: Mapping[str, tuple[int, ...]]) -> dict[str, DateColumn]:
    """Return an empty `DateColumn` for each date field that has a column in the file."""
    return {name: DateColumn(header[indexes[name][0]]) for name in DATE_FIELDS if name in indexes}


def add_dates(
    columns: Mapping[str, DateColumn], indexes: Mapping[str, tuple[int, ...]], line: int, row: Sequence[str]
) -> None:
    """Add the cells of one row to the `DateColumn` objects of the columns that contain dates."""
    for name, column in columns.items():
        index = indexes[name][0]
        if index < len(row):
            column.add(line, row[index])


def _columns(
    header: Sequence[str], samples: Sequence[Mapping[str, None]], indexes: Mapping[str, tuple[int, ...]]
) -> Iterator[FileColumn]:
    for index, name in enumerate(header):
        fields = tuple(field_name for field_name, used in indexes.items() if index in used)
        yield FileColumn(name, tuple(samples[index]), fields)


def _cell(row: Sequence[str], indexes: tuple[int, ...] | None) -> str:
    return row[indexes[0]].strip() if indexes and indexes[0] < len(row) else ""
