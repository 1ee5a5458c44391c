"""The content of the admin page for an uploaded file, and the form for the choices that only staff can make."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from reminders.file_imports import problems
from reminders.file_imports.reservations import PROFILES
from reminders.file_imports.services import DAYS_UNTIL_DELETION, KINDS
from reminders.models import FileImport, ImportKind, ImportStatus, ReservationStatus

#: The number of problems that the page lists. The downloadable report contains all problems.
LISTED_PROBLEMS = 20
_STEPS = (gettext_lazy("Columns"), gettext_lazy("Check"), gettext_lazy("Import"))
_STEP_BY_STATUS = {
    ImportStatus.UPLOADED: 1,
    ImportStatus.CHECKING: 2,
    ImportStatus.CHECKED: 2,
    ImportStatus.IMPORTING: 3,
    ImportStatus.STOPPED: 3,
    ImportStatus.FINISHED: 3,
}
#: The labels for the counts of rows and cells after a check.
_CHECK_LABELS = {
    "created": pgettext_lazy("imported rows", "new"),
    "updated": gettext_lazy("to be changed"),
    "unchanged": gettext_lazy("unchanged"),
    "rejected": gettext_lazy("rows with errors"),
    "incomplete": gettext_lazy("cells left out"),
}
#: The labels for the counts of rows and cells during and after an import.
_IMPORT_LABELS = {
    "created": pgettext_lazy("imported rows", "created"),
    "updated": pgettext_lazy("imported rows", "changed"),
    "unchanged": gettext_lazy("unchanged"),
    "rejected": gettext_lazy("rows not imported"),
    "incomplete": gettext_lazy("cells left out"),
    "warnings": gettext_lazy("events to check"),
    "cancelled": pgettext_lazy("imported rows", "cancelled"),
    "closures": gettext_lazy("closures (not imported)"),
    "ignored": gettext_lazy("events that occupy no night"),
    "rooms_created": gettext_lazy("rooms created"),
    "reminders": gettext_lazy("reminders scheduled"),
}
#: The names of the counts that the page shows as problems.
_BAD = frozenset({"rejected", "incomplete", "warnings"})


@dataclass(frozen=True, slots=True)
class Step:
    label: str | Promise
    #: The progress of this step of the import: `done`, `current` or `later`.
    state: str


@dataclass(frozen=True, slots=True)
class Count:
    label: str | Promise
    value: int
    is_bad: bool


@dataclass(frozen=True, slots=True)
class DateReading:
    """A column of ambiguous dates such as 03/04/2026, with an example and its two possible readings as text."""

    column: str
    example: str
    day_first: str
    month_first: str


@dataclass(frozen=True, slots=True)
class PageContent:
    """The content of the admin page for one uploaded file."""

    steps: list[Step]
    counts: list[Count]
    required_choices: list[str]
    problems: list[problems.Problem]
    more_problems: int
    deleted_on: datetime.datetime
    form: MappingForm
    #: Whether staff choose the columns of the file and see the result of a check before the import.
    #: The value is False for calendars and for rows of API clients, because these files have no columns.
    has_columns: bool
    profiles: Mapping[str, str] = field(default_factory=dict)


def describe(uploaded: FileImport) -> PageContent:
    """Return the content of the admin page for an uploaded file, in the active language."""
    current = _STEP_BY_STATUS[ImportStatus(uploaded.status)]
    is_done = uploaded.status == ImportStatus.FINISHED
    total = sum(uploaded.counts.get(name, 0) for name in _BAD)
    listed = list(islice(problems.read(uploaded.problems), LISTED_PROBLEMS)) if total else []
    return PageContent(
        steps=[
            Step(
                label, "done" if number < current or is_done else "current" if number == current else "later"
            )
            for number, label in enumerate(_STEPS, start=1)
        ],
        counts=_counts(uploaded),
        required_choices=required_choices(uploaded),
        problems=listed,
        more_problems=total - len(listed),
        deleted_on=uploaded.created_at + datetime.timedelta(days=DAYS_UNTIL_DELETION),
        form=MappingForm(uploaded),
        has_columns=bool(KINDS[uploaded.kind].fields),
        profiles=PROFILES if uploaded.kind == ImportKind.RESERVATIONS else {},
    )


def _counts(uploaded: FileImport) -> list[Count]:
    is_check = uploaded.status in {ImportStatus.CHECKING, ImportStatus.CHECKED}
    labels = _CHECK_LABELS if is_check else _IMPORT_LABELS
    return [
        Count(label, uploaded.counts[name], name in _BAD and uploaded.counts[name] > 0)
        for name, label in labels.items()
        if uploaded.counts.get(name) or name in {"created", "updated"} & uploaded.counts.keys()
    ]


def required_choices(uploaded: FileImport) -> list[str]:
    """Return a sentence for each choice that staff must make before the file can be checked."""
    labels = {known.name: str(known.label) for known in KINDS[uploaded.kind].fields}
    joinable = {known.name for known in KINDS[uploaded.kind].fields if known.is_joinable}
    found = uploaded.inspection
    texts = []
    if found["missing"]:
        names = ", ".join(labels[name] for name in found["missing"])
        texts.append(_("Choose a column for: %(fields)s.") % {"fields": names})
    used = Counter(column["field"] for column in found["columns"] if column["field"])
    texts += [
        _("Choose only one column for: %(field)s.") % {"field": labels[name]}
        for name, count in used.items()
        if count > 1 and name not in joinable
    ]
    if found["ambiguous_dates"]:
        texts.append(_("Choose the date format, because the dates can be read in two ways."))
    if len(found["hotels"]) > 1 and not uploaded.settings.get("property"):
        texts.append(_("The file has bookings from several hotels. Choose one of the hotels."))
    return texts


class MappingForm:
    """The form with which staff choose how a file is read.

    Staff choose the field for each column, the vendor's profile, the order of day and month in dates, the hotel, and
    the reservation status for each status word of the file.
    """

    def __init__(self, uploaded: FileImport) -> None:
        self.uploaded = uploaded
        self.content = uploaded.inspection
        self.settings = uploaded.settings
        self.fields = KINDS[uploaded.kind].fields
        self.statuses = ReservationStatus.choices

    @property
    def columns(self) -> list[dict[str, Any]]:
        columns: list[dict[str, Any]] = self.content["columns"]
        return columns

    @property
    def ambiguous_dates(self) -> list[DateReading]:
        return [
            DateReading(
                date["column"],
                date["example"],
                *(
                    date_format(datetime.date.fromisoformat(date[order]))
                    for order in ("day_first", "month_first")
                ),
            )
            for date in self.content["ambiguous_dates"]
        ]

    @property
    def status_words(self) -> list[dict[str, Any]]:
        """Return the status words whose meaning is unknown or was chosen by staff.

        `index` is the index of the word in the list of all status words of the file.
        """
        chosen = self.settings.get("statuses", {})
        return [
            {**entry, "index": index, "chosen": chosen.get(entry["word"], "")}
            for index, entry in enumerate(self.content["statuses"])
            if not entry["status"] or entry["word"] in chosen
        ]

    def read(self, data: Mapping[str, str], *, with_columns: bool) -> dict[str, Any]:
        """Return the import settings that the posted form contains.

        If `with_columns` is False, only the profile is read, and the profile determines the columns. Values that the
        form does not offer are ignored.
        """
        settings: dict[str, Any] = {}
        if (profile := data.get("profile", "")) in PROFILES:
            settings["profile"] = profile
        if not with_columns:
            return settings
        columns: dict[str, list[str]] = {known.name: [] for known in self.fields}
        for index, column in enumerate(self.columns):
            if (name := data.get(f"column-{index}", "")) in columns:
                columns[name].append(column["name"])
        settings["columns"] = {name: "+".join(names) for name, names in columns.items()}
        if (order := data.get("date_format", "")) in {"day-first", "month-first"}:
            settings["date_format"] = order
        if (hotel := data.get("property", "")) in self.content["hotels"]:
            settings["property"] = hotel
        statuses = {
            entry["word"]: status
            for index, entry in enumerate(self.content["statuses"])
            if (status := data.get(f"status-{index}", "")) in ReservationStatus.values
        }
        if statuses:
            settings["statuses"] = statuses
        return settings
